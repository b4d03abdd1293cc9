import { KafkaContext, Kafka, logLevel } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';
import { BROKERS, createTopics, rawProducer, unique, untilCommitted } from '../harness/broker';
import { Tap } from '../harness/tap';
import { until } from '../harness/wait';
import { Rig, SOON } from './rig';

type Headers = Record<string, any>;

const rig = new Rig('headers');

async function send(value: string, headers: Headers = {}): Promise<void> {
  await (await rawProducer()).send({ topic: rig.topic, messages: [{ value, headers }] });
}

/** An object with that one property of its own, whatever the name. */
function only(name: string, value: unknown): Headers {
  return Object.defineProperty({}, name, { value, enumerable: true }) as Headers;
}

test('E4 a first delivery has exactly the headers of the record', async () => {
  await createTopics({ [rig.topic]: 1 });
  const seen: Headers[] = [];
  await rig.serve((_, context) => void seen.push(context.getMessage().headers as Headers));
  await send('none');
  await send('some', { a: '1', retryCount: '9' });
  await until('both are handled', () => seen.length === 2);
  expect(seen.map((headers) => Object.getOwnPropertyNames(headers))).toEqual([[], ['a', 'retryCount']]);
  expect(seen).toEqual([{}, { a: '1', retryCount: '9' }]);
});

test('E4 what the producer wrote is the same in every delivery', async () => {
  await createTopics({ [rig.topic]: 1 });
  const seen: unknown[] = [];
  await rig.serve(
    (_, context) => {
      const { retryCount, kafka_deliveryAttempt: attempt } = context.getMessage().headers as Headers;
      seen.push([retryCount, attempt, (context as KafkaContext).getDeliveryAttempt()]);
      if (seen.length < 3) throw new Error('again');
    },
    { consumer: { retry: SOON } },
  );
  await send('x', { retryCount: '3', kafka_deliveryAttempt: '7' });
  await until('it was handled', () => seen.length === 3);
  expect(seen).toEqual([
    ['3', '7', 1],
    ['3', '7', 2],
    ['3', '7', 3],
  ]);
});

test('E4 later deliveries answer their number, and passing the headers on writes nothing of it', async () => {
  const next = unique('next');
  await createTopics({ [rig.topic]: 1, [next]: 1 });
  const tap = rig.keep(await Tap.on([next]));
  const seen: unknown[] = [];
  await rig.serve(
    async (_, context) => {
      const headers = context.getMessage().headers as Headers;
      seen.push([headers['kafka_deliveryAttempt'], headers['retryCount'], JSON.stringify(headers)]);
      const copies = [headers, { ...headers }, Object.assign({}, headers), structuredClone(headers)];
      const messages = copies.map((each) => ({ value: 'v', headers: each }));
      await context.getProducer().send({ topic: next, messages: messages as never });
      if (seen.length < 3) throw new Error('again');
    },
    { consumer: { retry: SOON } },
  );
  await send('x', { a: '1' });
  await until('it was handled', () => seen.length === 3);
  expect(seen).toEqual([
    [undefined, undefined, '{"a":"1"}'],
    ['2', '1', '{"a":"1"}'],
    ['3', '2', '{"a":"1"}'],
  ]);
  const written = await tap.read(next, 12);
  expect(written.map(({ headers }) => headers)).toEqual(Array.from({ length: 12 }, () => [['a', '1']]));
});

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__'];

test('a header may be called like anything that objects have', async () => {
  await createTopics({ [rig.topic]: 1 });
  const seen: [unknown, Headers][] = [];
  await rig.serve((data, context) => void seen.push([data, context.getMessage().headers as Headers]));
  for (const name of NAMES) {
    await send('once', only(name, '{"isAdmin":true}'));
    await send('twice', only(name, ['a', 'b']));
  }
  await until('all are handled', () => seen.length === NAMES.length * 2);
  for (const [index, name] of NAMES.entries()) {
    const [once, twice] = [seen[index * 2]?.[1], seen[index * 2 + 1]?.[1]] as [Headers, Headers];
    for (const headers of [once, twice]) {
      expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
      expect(Object.getOwnPropertyNames(headers)).toEqual([name]);
      expect(headers['isAdmin']).toBeUndefined();
    }
    expect(Object.getOwnPropertyDescriptor(once, name)?.value).toEqual({ isAdmin: true });
    expect(Object.getOwnPropertyDescriptor(twice, name)?.value).toBe('a,b');
  }
  await untilCommitted(rig.group, rig.topic, NAMES.length * 2);
});

test('a property of a JSON value may be called so too, as JSON.parse makes it', async () => {
  await createTopics({ [rig.topic]: 1 });
  const seen: Headers[] = [];
  await rig.serve((data) => void seen.push(data as unknown as Headers));
  for (const name of NAMES) await send(`{"${name}":{"isAdmin":true}}`);
  await until('all are handled', () => seen.length === NAMES.length);
  for (const [index, name] of NAMES.entries()) {
    const data = seen[index] as Headers;
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.entries(data)).toEqual([[name, { isAdmin: true }]]);
    expect(data['isAdmin']).toBeUndefined();
  }
});

test('such headers are Buffers for eachMessage, and are passed on as they are', async () => {
  const next = unique('next');
  await createTopics({ [rig.topic]: 1, [next]: 1 });
  for (const name of NAMES) {
    await send('once', only(name, 'a'));
    await send('twice', only(name, ['a', 'b']));
  }
  const kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
  const [consumer, producer] = [kafka.consumer({ groupId: rig.topic }), kafka.producer()];
  rig.keep({ close: () => Promise.all([consumer.disconnect(), producer.disconnect()]) });
  await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topics: [rig.topic, next], fromBeginning: true });
  const seen = new Map<string, Headers[]>([rig.topic, next].map((topic) => [topic, []]));
  await consumer.run({
    async eachMessage({ topic, message: { value, headers = {} } }) {
      seen.get(topic)?.push(headers);
      if (topic === rig.topic) await producer.send({ topic: next, messages: [{ value, headers }] });
    },
  });
  for (const topic of [rig.topic, next]) {
    const all = await until('all are handled', () => {
      const headers = seen.get(topic) ?? [];
      return headers.length === NAMES.length * 2 && headers;
    });
    expect(all.every((headers) => Object.getPrototypeOf(headers) === Object.prototype)).toBe(true);
    expect(all.map((headers) => Object.entries(headers).flat(2).map(String))).toEqual(
      NAMES.flatMap((name) => [
        [name, 'a'],
        [name, 'a', 'b'],
      ]),
    );
  }
});

test('what the prototype of given headers has is not written', async () => {
  await createTopics({ [rig.topic]: 1 });
  const tap = rig.keep(await Tap.on([rig.topic]));
  const producer = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).producer();
  rig.keep({ close: () => producer.disconnect() });
  await producer.connect();
  const headers = Object.assign(Object.create({ inherited: 'no' }), { own: 'yes' });
  await producer.send({ topic: rig.topic, messages: [{ value: 'x', headers }] });
  const [record] = await tap.read(rig.topic, 1);
  expect(record?.headers).toEqual([['own', 'yes']]);
});
