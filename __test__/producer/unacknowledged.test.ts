import { Kafka, logLevel, type KafkaConfig, type Producer } from 'nestjs-kafka-native';
import { afterAll, describe, expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { BROKERS, closeBroker, createTopics, unique } from '../harness/broker';
import { Tap } from '../harness/tap';
import { until, within } from '../harness/wait';

/** Most sends that may end before their message went out. */
const MOST_ENDED = 512;
/** How many messages a line of the log tells of. */
const LOST = /^(A|\d+) messages? to (\S+) that nobody was to acknowledge \(acks: 0\) did not go out: /;

afterAll(closeBroker);

async function connected(config: Partial<KafkaConfig> = {}, librdkafka: Record<string, number> = {}) {
  const lines: string[] = [];
  const producer = new Kafka({
    brokers: BROKERS,
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ log }) =>
        void lines.push(log.message),
    ...config,
  }).producer({ librdkafka });
  await producer.connect();
  const lost = (): number =>
    lines.reduce((sum, line) => {
      const count = LOST.exec(line)?.[1];
      return count === undefined ? sum : sum + (count === 'A' ? 1 : Number(count));
    }, 0);
  return { producer, lines, lost };
}

const sendTo =
  (producer: Producer, topic: string, options: { timeout?: number } = {}) =>
  (value: string, partition?: number): Promise<unknown> =>
    producer.send({
      topic,
      acks: 0,
      ...options,
      messages: [partition === undefined ? { value } : { value, partition }],
    });

describe('sends without acknowledgements', () => {
  test('that are made one after the other arrive in their order', async () => {
    const topic = unique('unacknowledged');
    await createTopics({ [topic]: 2 });
    const { producer, lines } = await connected();
    const tap = await Tap.on([topic]);
    const send = sendTo(producer, topic);
    const values = Array.from({ length: 3 * MOST_ENDED }, (_, number) => String(number));
    for (const value of values) expect(await send(value, Number(value) % 2)).toEqual([]);
    await producer.disconnect();
    const records = await tap.read(topic, values.length);
    await tap.close();
    for (const parity of [0, 1]) {
      const written = records.filter(({ partition }) => partition === parity).map(({ value }) => value);
      expect(written).toEqual(values.filter((value) => Number(value) % 2 === parity));
    }
    expect(lines).toEqual([]);
  });

  test('tell of each message that is refused, by their end or in the log', async () => {
    const topic = unique('unacknowledged');
    await createTopics({ [topic]: 1 });
    const { producer, lost } = await connected({}, { 'message.max.bytes': 1000 });
    const send = sendTo(producer, topic);
    const tap = await Tap.on([topic]);
    let rejected = 0;
    for (let round = 0; round < 300; round++) {
      await send('small');
      await send('x'.repeat(2000)).catch(() => rejected++);
    }
    await until('all are told of', () => lost() + rejected === 300);
    await producer.disconnect();
    await tap.read(topic, 300);
    await tap.close();
    expect(lost() + rejected).toBe(300);
  });

  test('to a partition that is not there fail', async () => {
    const topic = unique('unacknowledged');
    await createTopics({ [topic]: 1 });
    const { producer, lines } = await connected();
    const send = sendTo(producer, topic);
    await send('first');
    await expect(send('x', 7)).rejects.toThrow('partition');
    await producer.disconnect();
    expect(lines).toEqual([]);
  });

  test('fail while the broker is away, after the few that are ahead', async () => {
    await using broker = await startBroker();
    const topic = unique('unacknowledged');
    const { producer } = await connected({ brokers: [broker.brokers] });
    const send = sendTo(producer, topic, { timeout: 2000 });
    for (let number = 0; number < 10; number++) await send(String(number));
    await broker.kill();
    let ended = 0;
    const failed = (async () => {
      for (;;) {
        await send('away');
        ended++;
      }
    })();
    await expect(within('a failure', failed, 60_000)).rejects.toThrow();
    expect(ended).toBeLessThanOrEqual(MOST_ENDED + 1);
    await producer.disconnect();
  });
});
