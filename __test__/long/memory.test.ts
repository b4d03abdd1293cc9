import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { Instances } from '../delivery/instances';
import { makeTopics } from '../harness/topics.mjs';
import { pause } from '../harness/wait';

const MESSAGES = 106_000;
const BYTES = 10_240;
const PARTITIONS = 6;
const MIB = 1024 * 1024;
const MOST = 80 * MIB;
const SECONDS = 60;

test(
  'E2 a gigabyte waits for a slow handler: memory stays where it was',
  { timeout: 20 * 60_000 },
  async () => {
    await using broker = await startBroker();
    const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await makeTopics(
      admin,
      ['empty', 'full'].map((topic) => ({ topic, numPartitions: PARTITIONS })),
    );
    await admin.disconnect();
    const producer = kafka.producer();
    await producer.connect();
    const value = Buffer.alloc(BYTES, 'x');
    for (let sent = 0; sent < MESSAGES; sent += 500) {
      const messages = Array.from({ length: 500 }, (_, i) => ({ partition: (sent + i) % PARTITIONS, value }));
      await producer.send({ topic: 'full', messages });
    }
    await producer.send({ topic: 'empty', messages: [{ value: 'x' }] });
    await producer.disconnect();

    const start = (topic: string): Instances =>
      new Instances({
        topic,
        milliseconds: 10,
        options: {
          client: { brokers: [broker.brokers] },
          consumer: { groupId: `memory-${topic}` },
          subscribe: { fromBeginning: true },
        },
      });
    // Where memory starts: the same application that has nothing to do.
    const idle = start('empty');
    const busy = start('full');
    try {
      const idler = idle.start();
      await idler.listening();
      await pause(3000);
      const base = (await idler.memory()).rss;
      await idle.close();
      const worker = busy.start();
      await worker.listening();
      let most = 0;
      for (let second = 0; second < SECONDS; second++) {
        await pause(1000);
        most = Math.max(most, (await worker.memory()).rss);
      }
      const handled = busy.handled().length;
      const last = await worker.memory();
      process.stdout.write(
        `memory: ${(base / MIB).toFixed(0)} MiB idle, at most ${(most / MIB).toFixed(0)} MiB with ${((MESSAGES * BYTES) / MIB).toFixed(0)} MiB waiting ` +
          `(+${((most - base) / MIB).toFixed(0)} MiB; in the end ${(last.rss / MIB).toFixed(0)} MiB, heap ${(last.heapUsed / MIB).toFixed(0)}, external ${(last.external / MIB).toFixed(0)}), ` +
          `${handled} handled in ${SECONDS} s\n`,
      );
      expect(handled).toBeGreaterThan(SECONDS);
      expect(most - base).toBeLessThan(MOST);
    } finally {
      await idle.close();
      await busy.close();
    }
  },
);
