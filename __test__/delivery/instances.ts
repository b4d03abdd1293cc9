import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../harness/wait';

const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url));

/** A handled message: by whom, where, and when (ms since the epoch). */
export interface Handled {
  name: string;
  partition: number;
  offset: number;
  at: number;
}

export interface Work {
  topic: string;
  options: object;
  /** How long a handler takes: so many milliseconds, or a random time. */
  milliseconds: number | { upTo: number };
  shutdownHooks?: boolean;
  /** Options of the handler. */
  handler?: object;
  /** Options of Node. */
  execArgv?: string[];
}

/** One process of an application. */
export class Instance {
  readonly statuses: { status: string; at: number }[] = [];
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; at: number }>;

  constructor(
    readonly name: string,
    readonly process: ChildProcess,
  ) {
    process.on('message', (message: any) => {
      if (message.status) this.statuses.push(message);
    });
    this.ended = new Promise((resolve) => {
      process.once('exit', (code, signal) => resolve({ code, signal, at: Date.now() }));
    });
  }

  /** Since when it listens. */
  listening(): Promise<number> {
    return until(
      `${this.name} listens`,
      () => this.statuses.find(({ status }) => status === 'listening')?.at,
      60_000,
    );
  }

  /** Its memory, once it has answered. */
  memory(): Promise<NodeJS.MemoryUsage> {
    return new Promise((resolve) => {
      const answer = (message: any): void => {
        if (!message.memory) return;
        this.process.off('message', answer);
        resolve(message.memory);
      };
      this.process.on('message', answer);
      this.process.send({});
    });
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.ended;
  }
}

/** Processes that work on one topic, and what they have handled. */
export class Instances {
  private readonly folder = mkdtempSync(join(tmpdir(), 'delivery-'));
  private readonly all: Instance[] = [];

  constructor(private readonly work: Work) {}

  start(): Instance {
    const { execArgv = [], ...work } = this.work;
    const name = `instance ${this.all.length}`;
    const description = { ...work, name, log: join(this.folder, 'handled') };
    const child = fork(WORKER, [JSON.stringify(description)], {
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const instance = new Instance(name, child);
    this.all.push(instance);
    return instance;
  }

  handled(): Handled[] {
    let text = '';
    try {
      text = readFileSync(join(this.folder, 'handled'), 'utf8');
    } catch {
      return [];
    }
    const lines = text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(Boolean);
    return lines.map((line) => {
      const [name, partition, offset, at] = JSON.parse(line);
      return { name, partition, offset: Number(offset), at };
    });
  }

  /** How many different messages were handled. */
  distinct(): number {
    return new Set(this.handled().map(({ partition, offset }) => `${partition}:${offset}`)).size;
  }

  async close(): Promise<void> {
    const running = this.all.filter(
      ({ process }) => process.exitCode === null && process.signalCode === null,
    );
    await Promise.all(running.map((instance) => instance.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
