import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { BROKERS } from './broker';

/** Sends so many messages one by one when it is told to, and says when the last one is stored. */
const PROGRAM = `
const { parentPort, workerData: { brokers, topic, done, kafkajs } } = require('node:worker_threads');
const { Kafka, logLevel } = require(kafkajs);
const producer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).producer();
parentPort.on('message', async (count) => {
  for (let i = 1; i <= count; i++) {
    await producer.send({ topic, messages: [{ partition: 0, value: String(i) }] });
  }
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
});
producer.connect().then(() => parentPort.postMessage('ready'));
`;

/** A producer on a thread of its own, which sends while this one stands still. */
export class OtherThread {
  readonly #worker: Worker;
  readonly #done: Int32Array;

  private constructor(worker: Worker, done: Int32Array) {
    this.#worker = worker;
    this.#done = done;
  }

  /** Starts it, for the first partition of a topic. */
  static async start(topic: string): Promise<OtherThread> {
    const done = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const workerData = { brokers: BROKERS, topic, done, kafkajs: require.resolve('kafkajs') };
    const worker = new Worker(PROGRAM, { eval: true, workerData });
    await once(worker, 'message');
    return new OtherThread(worker, done);
  }

  /** Has it send the numbers from 1 on, one by one, and keeps this thread's event loop busy until all are stored. */
  sendWhileThisWaits(count: number): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
    this.#worker.postMessage(count);
    Atomics.wait(this.#done, 0, 0, 30_000);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
