import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel, type KafkaJSError, type Producer } from 'kafkajs';
import { Kafka as NativeKafka } from 'nestjs-kafka-native';
import type { Broker } from '../broker/start.mjs';
import { makeTopics } from '../harness/topics.mjs';
import { until, within } from '../harness/wait';

const COPIER = fileURLToPath(new URL('copier.mjs', import.meta.url));
const END = 'end';

/** What the broker needs so that kills are noticed soon, and what they leave open is ended. */
export const IMPATIENT = {
  'group.min.session.timeout.ms': 1000,
  'group.initial.rebalance.delay.ms': 0,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500,
};

export interface CopyingOptions {
  readonly topic: string;
  readonly partitions: number;
  /** How often a handler fails. */
  readonly failures?: number;
  /** How long some handlers wait at most, in milliseconds. */
  readonly upTo?: number;
  readonly transactions?: object;
}

/** Processes that copy a topic into another one in transactions, and what has come out. */
export class Copying {
  readonly #broker: Broker;
  readonly #options: CopyingOptions;
  readonly #kafka: Kafka;
  readonly #running = new Set<ChildProcess>();
  #producer: Producer | undefined;
  #written = 0;

  constructor(broker: Broker, options: CopyingOptions) {
    this.#broker = broker;
    this.#options = options;
    const retry = { initialRetryTime: 100, retries: 100, maxRetryTime: 1000 };
    this.#kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING, retry });
  }

  get input(): string {
    return this.#options.topic;
  }

  get output(): string {
    return `${this.#options.topic}-copy`;
  }

  async open(): Promise<void> {
    const admin = this.#kafka.admin();
    await admin.connect();
    const topics = [this.input, this.output].map((topic) => ({
      topic,
      numPartitions: this.#options.partitions,
      replicationFactor: 1,
    }));
    await makeTopics(admin, topics);
    await admin.disconnect();
    this.#producer = this.#kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await this.#producer.connect();
  }

  /** Starts one process. */
  async start(): Promise<ChildProcess> {
    const { failures = 0, upTo = 0, transactions } = this.#options;
    const options = {
      client: { brokers: [this.#broker.brokers], retry: { initialRetryTime: 50, maxRetryTime: 500 } },
      consumer: {
        groupId: this.input,
        sessionTimeout: 2000,
        heartbeatInterval: 300,
        maxWaitTimeInMs: 100,
        retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 1000 },
      },
      producer: { transactionTimeout: 3000 },
      transactions: { idPrefix: this.input, ...transactions },
      subscribe: { fromBeginning: true },
    };
    const work = { input: this.input, output: this.output, options, failures, upTo };
    const child = fork(COPIER, [JSON.stringify(work)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    await within('a copier listens', once(child, 'message'), 60_000);
    return child;
  }

  /** Writes so many messages, the numbers of each partition in their order. */
  async write(count: number): Promise<void> {
    const { partitions } = this.#options;
    const messages = Array.from({ length: count }, (_, index) => {
      const number = this.#written + index;
      return { partition: number % partitions, value: String(Math.floor(number / partitions)) };
    });
    this.#written += count;
    await this.#producer?.send({ topic: this.input, messages });
  }

  get written(): number {
    return this.#written;
  }

  /** How much of the input the group has committed. */
  async committed(): Promise<number> {
    const admin = this.#kafka.admin();
    await admin.connect();
    try {
      const [found] = await admin.fetchOffsets({ groupId: `${this.input}-server`, topics: [this.input] });
      return (found?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
    } finally {
      await admin.disconnect();
    }
  }

  /** Waits until the group has committed all of the input. */
  async untilDone(deadline = 60_000): Promise<void> {
    const isDone = async (): Promise<boolean> => {
      try {
        return (await this.committed()) === this.#written;
      } catch (error) {
        // A broker that has just started again loads the group's offsets, and kafkajs does not ask again.
        if ((error as KafkaJSError).retriable) return false;
        throw error;
      }
    };
    await until('all is copied', isDone, deadline);
  }

  /** What a reader of what is committed sees of each partition of the output, of which nobody writes any more. */
  async copies(): Promise<string[][]> {
    const { partitions } = this.#options;
    const copies = Array.from({ length: partitions }, (): string[] => []);
    const messages = copies.map((_, partition) => ({ partition, value: END }));
    await this.#producer?.send({ topic: this.output, messages });
    // By librdkafka: kafkajs hands out some records of transactions that a broker has aborted after a kill.
    const kafka = new NativeKafka({ brokers: [this.#broker.brokers], logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: `${this.output}-judge`, maxWaitTimeInMs: 50 });
    await consumer.connect();
    await consumer.subscribe({ topic: this.output, fromBeginning: true });
    let ended = 0;
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        if (String(message.value) === END) ended++;
        else copies[partition]?.push(String(message.value));
      },
    });
    try {
      await until('all partitions are read to their end', () => ended === partitions, 60_000);
    } finally {
      await consumer.disconnect();
    }
    return copies;
  }

  /** What all of the input is, copied once and in its order. */
  expected(): string[][] {
    const { partitions } = this.#options;
    return Array.from({ length: partitions }, (_, partition) => {
      const count = Math.ceil((this.#written - partition) / partitions);
      return Array.from({ length: count }, (_each, number) => String(number));
    });
  }

  /** Ends all processes, in an orderly way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((child) => end(child, 'SIGTERM')));
  }

  async close(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
    await this.#producer?.disconnect();
  }
}

/** Sends a signal and waits for the end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exit = once(child, 'exit');
  child.kill(signal);
  await within(`the end by ${signal}`, exit, 60_000);
}
