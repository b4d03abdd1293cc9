import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BROKERS, createTopics, unique } from '../harness/broker';
import type { Kind, TransportOptions } from '../harness/transports';
import { until, within } from '../harness/wait';

const SCRIPT = fileURLToPath(new URL('member.mjs', import.meta.url));

/** What a client process tells of its requests. */
export interface ClientReport {
  sent: number;
  answered: number;
  /** No reply came at all. */
  lost: number;
  /** Replies that belong to another request, or not as many as there should be. */
  wrong: number;
  /** Error → how often. */
  failed: Record<string, number>;
  pending: number;
  /** Longest wait for a reply, in milliseconds, and the longest of those whose handler did not wait. */
  slowest: number;
  slowestFast: number;
  /** Reply partitions after each join: topic → partition. */
  assignments: Record<string, number>[];
  /** Those joins: when, and whether the member led the group (only stock tells). */
  joins: { at: number; leads: boolean }[];
  /** The lost requests: when they were sent, and where the reply was expected. */
  losses: { sentAt: number; partition: number }[];
  warnings: string[];
}

export interface ServerReport {
  /** Requests handled, by "topic:partition". */
  handled: Record<string, number>;
  joins: Record<string, number[]>[];
  warnings: string[];
}

interface Answer {
  ready?: true;
  id?: number;
  value?: unknown;
  error?: string;
}

/** A server or a client in a process of its own. */
export class Process<Report> {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #id = 0;

  private constructor(
    readonly name: string,
    task: object,
  ) {
    this.#child = fork(SCRIPT, [JSON.stringify(task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => {
      const answer = message as Answer;
      this.#waiting.get(answer.ready ? 0 : (answer.id as number))?.(answer);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        const error = `${name} has ended (${signal ?? code})`;
        for (const settle of this.#waiting.values()) settle({ error });
        resolve();
      });
    });
  }

  /** Resolves when the member listens, or is connected. */
  static async start<Report>(name: string, task: object): Promise<Process<Report>> {
    const process = new Process<Report>(name, task);
    await within(`${name} to be ready`, process.#answer(0), 60_000);
    return process;
  }

  async #answer(id: number): Promise<unknown> {
    const { value, error } = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${this.name}: ${error}`);
    return value;
  }

  #ask(what: string, args?: object): Promise<unknown> {
    const id = ++this.#id;
    this.#child.send({ id, what, args });
    return this.#answer(id);
  }

  report(): Promise<Report> {
    return this.#ask('report') as Promise<Report>;
  }

  /** Client: sends so many requests a second from now on. */
  async load(rate: number): Promise<void> {
    await this.#ask('load', { rate });
  }

  /** Client: sends no more, and waits for the replies to what was sent. */
  async stop(): Promise<void> {
    await within(`${this.name} to have its replies`, this.#ask('stop'), 90_000);
  }

  /** Client: stops, and tells what became of everything it has sent. Closes. */
  async finish(): Promise<Report> {
    await this.stop();
    const report = await this.report();
    await this.close();
    return report;
  }

  /** Closes the transport, and the process with it. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await within(`${this.name} to close`, this.#ask('close'), 60_000);
    this.#child.disconnect();
    await within(`the process of ${this.name} to end`, this.#ended);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Servers and clients of one pair of topics, a fast and a slow one. */
export class Fleet {
  readonly name = unique('fleet');
  readonly topics = [`${this.name}.fast`, `${this.name}.slow`];
  readonly replyTopic = `${this.name}.fast.reply`;
  readonly #processes = new Set<Process<unknown>>();
  readonly #extra: TransportOptions;

  /** `extra` goes to every server and client. */
  private constructor(extra: TransportOptions) {
    this.#extra = extra;
  }

  static async create(replyPartitions: number, extra: TransportOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(extra);
    const [fast, slow] = fleet.topics as [string, string];
    await createTopics({
      [fast]: 3,
      // Handlers of a partition run one after the other: enough of them that slow ones do not pile up.
      [slow]: 24,
      [`${fast}.reply`]: replyPartitions,
      [`${slow}.reply`]: replyPartitions,
    });
    return fleet;
  }

  async #start<Report>(kind: Kind, role: string, name: string, extra: object): Promise<Process<Report>> {
    const { client, consumer, ...rest } = this.#extra;
    const options = {
      client: { brokers: BROKERS, clientId: name, ...client },
      consumer: { groupId: this.name, maxWaitTimeInMs: 100, heartbeatInterval: 500, ...consumer },
      ...rest,
      ...extra,
    };
    const process = await Process.start<Report>(name, { kind, role, topics: this.topics, options });
    this.#processes.add(process as Process<unknown>);
    return process;
  }

  /** A server that reads its topics from the beginning, or where the group's last one ended. */
  server(name = 'server', kind: Kind = 'native'): Promise<Process<ServerReport>> {
    return this.#start(kind, 'server', name, { subscribe: { fromBeginning: true } });
  }

  client(name: string, kind: Kind = 'native', extra: object = {}): Promise<Process<ClientReport>> {
    return this.#start(kind, 'client', name, extra);
  }

  /** Kills what is left. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#processes].map((process) => process.kill()));
  }
}

/** Waits until a client has sent so many requests. */
export function untilSent(client: Process<ClientReport>, count: number): Promise<true> {
  return until(
    `${client.name} has sent ${count}`,
    async () => (await client.report()).sent >= count,
    300_000,
  );
}
