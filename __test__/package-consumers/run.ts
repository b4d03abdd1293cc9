import { execFile } from 'node:child_process';
import { BROKERS, createTopics } from '../harness/broker';
import { topicsOf } from './applications/topics';
import { bareEnvironment } from './programs';

const RUN_TIMEOUT = 60_000;

/** How an application ended: its exit code and what it wrote to stderr. */
export interface Ended {
  code: number | string | null;
  signal?: string | null;
  stderr: string;
}

export const OF_ITSELF: Ended = { code: 0, stderr: '' };

export interface RunOptions {
  /** Node's executable. Default: this one. */
  node?: string;
  cwd: string;
  prefix: string;
  env?: NodeJS.ProcessEnv;
  /** How long it may take, in milliseconds. */
  timeout?: number;
}

/** Runs an application to its end and returns what it reports. One that stays is killed, and the test fails. */
export function run(
  args: string[],
  { node = process.execPath, cwd, prefix, env, timeout = RUN_TIMEOUT }: RunOptions,
): Promise<{ ended: Ended; facts: any; stdout: string }> {
  return new Promise((resolve) => {
    execFile(
      node,
      args,
      {
        cwd,
        env: { ...bareEnvironment(), KAFKA_BROKERS: BROKERS[0], PREFIX: prefix, ...env },
        timeout,
        killSignal: 'SIGKILL',
      },
      (error, stdout, stderr) => {
        // Node 20 says of its own feature, on which an application over Nest 12 depends, that it is experimental.
        const lines = stderr.split('\n').filter((line) => !/ExperimentalWarning|--trace-warnings/.test(line));
        const ended: Ended = { code: error ? (error.code ?? null) : 0, stderr: lines.join('\n') };
        if (error?.signal) ended.signal = error.signal;
        resolve({ ended, facts: parse(stdout), stdout });
      },
    );
  });
}

/** An application that was killed has reported nothing, or not to the end. */
function parse(report: string): any {
  try {
    return JSON.parse(report);
  } catch {
    return report;
  }
}

/** Creates the topics of several runs of the scenario. */
export function topicsOfAll(...prefixes: string[]): Promise<void> {
  return createTopics(Object.assign({}, ...prefixes.map(topicsOf)));
}
