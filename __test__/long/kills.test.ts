import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { Instances } from '../delivery/instances';
import { makeTopics } from '../harness/topics.mjs';
import { pause, until } from '../harness/wait';

const KILLS = 40;
const EVENTS = 5000;
const PARTITIONS = 6;
const INTERVAL = 200;
/** How much older than the commit interval a repeated message's first handling may be: the commit's own way, on a busy machine. */
const SLACK = 1000;

test(
  'E1 two instances, killed again and again: nothing is lost, and little repeated',
  { timeout: 20 * 60_000 },
  async () => {
    // Short sessions, so that the group notices each kill soon.
    await using broker = await startBroker({ properties: { 'group.min.session.timeout.ms': 1000 } });
    const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
    const topic = 'kills';
    const admin = kafka.admin();
    await admin.connect();
    await makeTopics(admin, [{ topic, numPartitions: PARTITIONS }]);
    await admin.disconnect();
    const producer = kafka.producer();
    await producer.connect();
    const instances = new Instances({
      topic,
      milliseconds: { upTo: 80 },
      options: {
        client: { brokers: [broker.brokers] },
        consumer: { groupId: 'kills', sessionTimeout: 2000, heartbeatInterval: 300 },
        subscribe: { fromBeginning: true },
        run: { autoCommitInterval: INTERVAL },
      },
    });
    const killed = new Map<string, number>();
    try {
      const running = [instances.start(), instances.start()];
      await Promise.all(running.map((instance) => instance.listening()));
      let written = 0;
      const write = async (count: number): Promise<void> => {
        const messages = Array.from({ length: count }, (_, i) => ({
          partition: (written + i) % PARTITIONS,
          value: `${written + i}`,
        }));
        await producer.send({ topic, messages });
        written += count;
      };
      await write(EVENTS % KILLS);
      for (let kill = 0; kill < KILLS; kill++) {
        await write(Math.floor(EVENTS / KILLS));
        await pause(Math.random() * 2500);
        const victim = kill % 2;
        const instance = running[victim]!;
        killed.set(instance.name, Date.now());
        await instance.kill();
        running[victim] = instances.start();
      }
      expect(written).toBe(EVENTS);
      await until('all is handled', () => instances.distinct() >= EVENTS, 120_000).catch(() => undefined);
      // Whatever would come again comes soon after the last kill's session is over.
      await pause(5000);

      const handled = instances.handled();
      const first = new Map<string, { name: string; at: number }>();
      const repeated = new Map<string, number[]>();
      for (const { name, partition, offset, at } of handled) {
        const key = `${partition}:${offset}`;
        const earlier = first.get(key);
        if (earlier === undefined) {
          first.set(key, { name, at });
          continue;
        }
        // How old the first handling was when its instance was killed.
        const end = killed.get(earlier.name) ?? Number.POSITIVE_INFINITY;
        repeated.set(earlier.name, [...(repeated.get(earlier.name) ?? []), end - earlier.at]);
        first.set(key, { name, at });
      }
      const perKill = [...killed.keys()]
        .map((name) => repeated.get(name)?.length ?? 0)
        .toSorted((a, b) => a - b);
      const total = perKill.reduce((sum, count) => sum + count, 0);
      const ages = [...repeated.values()].flat();
      process.stdout.write(
        `${KILLS} kills over ${EVENTS} events: ${EVENTS - first.size} lost, ${handled.length - first.size} handled again ` +
          `(per kill: mean ${(total / KILLS).toFixed(1)}, median ${perKill[KILLS >> 1]}, most ${perKill.at(-1)}; ` +
          `oldest first handled ${Math.max(0, ...ages)} ms before the kill)\n`,
      );
      expect(first.size).toBe(EVENTS);
      expect(Math.max(0, ...ages)).toBeLessThan(INTERVAL + SLACK);
    } finally {
      await instances.close();
      await producer.disconnect();
    }
  },
);
