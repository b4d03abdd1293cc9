import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { makeTopics } from '../harness/topics.mjs';
import { pause, until, within } from '../harness/wait';

// Messages that wait in retry topics while the processes that handle them are killed: never early, each at least once, counted right.

const WORKER = fileURLToPath(new URL('../retries/worker.mjs', import.meta.url));
const SECONDS = Number(process.env['RETRYING_SECONDS'] ?? 90);
const [PARTITIONS, PER_SECOND, PROCESSES] = [4, 100, 3];
const DELAYS = [500, 1500];
/** Of 50 one fails always, of 10 one twice, so that its third delivery, behind both waits, is its last. */
const FAILURES = [
  { every: 50, times: 9 },
  { every: 10, times: 2 },
];
const timesOf = (value: number): number => FAILURES.find(({ every }) => value % every === 0)?.times ?? 0;

interface Delivery {
  readonly value: string;
  readonly attempt: number;
  /** The record that was delivered. */
  readonly place: string;
  readonly at: number;
}

/** When each record of some topics is due. */
async function dueTimes(
  kafka: Kafka,
  topics: string[],
  length: (topic: string) => Promise<number>,
): Promise<Map<string, number>> {
  const due = new Map<string, number>();
  const reader = kafka.consumer({ groupId: 'due', maxWaitTimeInMs: 50 });
  await reader.connect();
  await reader.subscribe({ topics, fromBeginning: true });
  await reader.run({
    eachMessage: async ({ topic, partition, message }) => {
      const time = message.headers?.['retry_topic-backoff-timestamp'] as Buffer;
      due.set(`${topic} ${partition} ${message.offset}`, Number(BigInt(`0x${time.toString('hex')}`)));
    },
  });
  try {
    const lengths = await Promise.all(topics.map(length));
    const all = lengths.reduce((sum, one) => sum + one, 0);
    await until('all copies are read', () => due.size === all, 60_000);
  } finally {
    await reader.disconnect();
  }
  return due;
}

test(
  'F1 never early, at least once and counted right, however often processes are killed',
  { timeout: (SECONDS + 600) * 1000 },
  async () => {
    const broker = await startBroker({
      properties: { 'group.min.session.timeout.ms': 1000, 'group.initial.rebalance.delay.ms': 0 },
    });
    const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
    const [admin, producer] = [kafka.admin(), kafka.producer()];
    const topic = 'retrying';
    const group = `${topic}-server`;
    const retryTopics = DELAYS.map((delay) => `${topic}.retry.${group}.${delay}`);
    const deliveries: Delivery[] = [];
    const running = new Set<ChildProcess>();
    const start = async (): Promise<void> => {
      const options = {
        client: { brokers: [broker.brokers], retry: { initialRetryTime: 50, maxRetryTime: 500 } },
        consumer: { groupId: topic, sessionTimeout: 2000, heartbeatInterval: 300, maxWaitTimeInMs: 100 },
        subscribe: { fromBeginning: true },
        run: { autoCommitInterval: 300 },
        deadLetter: { retryTopics: { delays: DELAYS } },
      };
      const child = fork(WORKER, [JSON.stringify({ topic, options, failures: FAILURES })]);
      running.add(child);
      child.once('exit', () => running.delete(child));
      const listening = new Promise<void>((resolve) => {
        child.on('message', (said) => {
          if (said === 'listening') resolve();
          else deliveries.push(said as Delivery);
        });
      });
      await within('a worker listens', Promise.race([listening, once(child, 'exit')]), 60_000);
    };
    try {
      await admin.connect();
      await producer.connect();
      await makeTopics(admin, [
        { topic, numPartitions: PARTITIONS },
        { topic: `${topic}.DLT`, numPartitions: 1 },
      ]);
      for (let n = 0; n < PROCESSES; n++) await start();
      let written = 0;
      let kills = 0;
      const end = Date.now() + SECONDS * 1000;
      while (Date.now() < end) {
        const messages = Array.from({ length: PER_SECOND }, (_, i) => ({
          partition: (written + i) % PARTITIONS,
          value: String(written + i),
        }));
        await producer.send({ topic, messages });
        written += PER_SECOND;
        await pause(1000);
        if (Math.random() < 0.4) {
          const [...living] = running;
          living[Math.floor(Math.random() * living.length)]?.kill('SIGKILL');
          kills++;
          // The next one comes while the group does not know yet.
          await start();
        }
      }
      const sum = async (groupId: string, name: string): Promise<number> => {
        const [found] = await admin.fetchOffsets({ groupId, topics: [name] });
        return (found?.partitions ?? []).reduce((all, { offset }) => all + Math.max(0, Number(offset)), 0);
      };
      const length = async (name: string): Promise<number> =>
        (await admin.fetchTopicOffsets(name)).reduce((all, { offset }) => all + Number(offset), 0);
      const isDone = async (groupId: string, name: string): Promise<boolean> =>
        (await sum(groupId, name)) === (await length(name));
      // In turn: what comes into one may go on into the next.
      await until('the topic is done', () => isDone(group, topic), 120_000);
      for (const name of retryTopics)
        await until(`${name} is done`, () => isDone(`${group}-retry`, name), 120_000);

      const attempts = new Map<number, Set<number>>();
      for (const { value, attempt } of deliveries) {
        const seen = attempts.get(Number(value)) ?? new Set();
        attempts.set(Number(value), seen.add(attempt));
      }
      const due = await dueTimes(kafka, retryTopics, length);
      const again = deliveries.filter(({ attempt }) => attempt > 1);
      const early = again.filter(({ place, at }) => !(at >= (due.get(place) as number)));
      const wrong: string[] = [];
      for (let value = 0; value < written; value++) {
        const expected = Array.from({ length: Math.min(timesOf(value), DELAYS.length) + 1 }, (_, n) => n + 1);
        const seen = [...(attempts.get(value) ?? [])].toSorted((a, b) => a - b);
        if (seen.join() !== expected.join())
          wrong.push(`${value}: ${seen.join()} instead of ${expected.join()}`);
      }
      const dead = await length(`${topic}.DLT`);
      const repeated = deliveries.length - [...attempts.values()].reduce((all, { size }) => all + size, 0);
      console.log({ written, kills, deliveries: deliveries.length, repeated, dead, lost: wrong.length });
      expect(early).toEqual([]);
      expect(wrong).toEqual([]);
      expect(kills).toBeGreaterThan(SECONDS / 10);
      const hopeless = Array.from({ length: written }, (_, n) => n).filter((n) => timesOf(n) > DELAYS.length);
      const reader = kafka.consumer({ groupId: 'judge' });
      const found = new Set<number>();
      await reader.connect();
      await reader.subscribe({ topic: `${topic}.DLT`, fromBeginning: true });
      await reader.run({ eachMessage: async ({ message }) => void found.add(Number(message.value)) });
      await until('all dead letters are read', () => found.size >= hopeless.length).finally(() =>
        reader.disconnect(),
      );
      expect([...found].toSorted((a, b) => a - b)).toEqual(hopeless);
    } finally {
      for (const child of running) child.kill('SIGKILL');
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      await broker.dispose();
    }
  },
);
