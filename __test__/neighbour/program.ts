import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BROKERS, createTopics, unique } from '../harness/broker';

export interface Outcome {
  code: number | null;
  signal: string | null;
  stderr: string;
  report: any;
}

/** Runs a program beside this file on topics of its own, to its end. One that hangs is killed: its signal says so. */
export async function runProgram(
  name: string,
  args: string[],
  { instances = [''], timeout = 60_000 }: { instances?: string[]; timeout?: number } = {},
): Promise<Outcome> {
  const prefix = unique(name);
  const topics = instances.flatMap((instance) => [
    `${prefix}${instance}.echo`,
    `${prefix}${instance}.echo.reply`,
  ]);
  await createTopics(Object.fromEntries(topics.map((topic) => [topic, 1])));
  const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--expose-gc', file, ...args],
      {
        env: { ...process.env, KAFKA_BROKERS: BROKERS[0], PREFIX: prefix },
        timeout,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (_, stdout, stderr) => {
        const { exitCode: code, signalCode: signal } = child;
        resolve({ code, signal, stderr, report: stdout === '' ? undefined : JSON.parse(stdout) });
      },
    );
  });
}

interface Sample {
  /** Threads of consumers and producers. */
  clients: number;
  descriptors: number;
  /** Other threads, but for those that calls wait on. */
  threads: number;
  resources: number;
  /** Those resources. */
  names: string[];
  rss: number;
  heap: number;
}

/** What a process held at most in the first and in the last cycles, once its pools and its code are warm. */
export async function cycles(
  count: number,
  warm: number,
  timeout?: number,
): Promise<{ outcome: Outcome; first: Sample; last: Sample }> {
  const outcome = await runProgram('cycles', [String(count)], { timeout });
  const samples: Sample[] = (outcome.report?.samples ?? []).slice(warm);
  const most = (part: Sample[]): Sample => ({
    clients: Math.max(...part.map(({ clients }) => clients)),
    descriptors: Math.max(...part.map(({ descriptors }) => descriptors)),
    threads: Math.max(...part.map(({ threads }) => threads)),
    resources: Math.max(...part.map(({ resources }) => resources)),
    names: part.flatMap(({ names }) => names),
    rss: Math.max(...part.map(({ rss }) => rss)),
    heap: Math.max(...part.map(({ heap }) => heap)),
  });
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  return { outcome, first: most(samples.slice(0, quarter)), last: most(samples.slice(-quarter)) };
}
