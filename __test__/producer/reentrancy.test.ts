import {
  type ClientKafka,
  ClientKafka as NativeClient,
  Kafka,
  logLevel,
  type Producer,
} from 'nestjs-kafka-native';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { optionsFor } from '../harness/apps';
import { BROKERS, closeBroker, createTopics, unique } from '../harness/broker';
import { Tap } from '../harness/tap';
import { Gate, within } from '../harness/wait';

// What an application does while a record of its own is being written or reported: send others.

const TOPIC = unique('again');
const kafka = new Kafka({ clientId: 'again', brokers: BROKERS, logLevel: logLevel.NOTHING });
let producer: Producer;
let tap: Tap;

beforeAll(async () => {
  await createTopics({ [TOPIC]: 1 });
  producer = kafka.producer();
  await producer.connect();
  tap = await Tap.on([TOPIC]);
});

afterAll(async () => {
  await producer?.disconnect();
  await tap?.close();
  await closeBroker();
});

/** The values of the topic's records, short, from this one on. */
async function valuesFrom(first: string, count: number): Promise<(string | null)[]> {
  for (let known = count; ; known++) {
    const values = (await tap.read(TOPIC, known)).map(({ value }) => value && value.slice(0, 20));
    const from = values.indexOf(first);
    if (from !== -1 && values.length - from >= count) return values.slice(from);
  }
}

test('what a callback sends when a long text is refused at once is delivered', async () => {
  const topic = unique('again-request');
  await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
  const client: ClientKafka = new NativeClient(optionsFor(topic));
  client.subscribeToResponseOf(topic);
  await client.connect();
  const own = (client as unknown as { producer: Producer }).producer;
  try {
    // The partitions have to be known for a record to be refused at once.
    await own.send({ topic, messages: [{ value: 'known' }] });
    const refused = new Gate();
    const sent: Promise<unknown>[] = [];
    client.send(topic, { value: 'x'.repeat(1_500_000), partition: 99 }).subscribe({
      error: () => {
        for (const value of ['one', 'two', 'three']) {
          sent.push(own.send({ topic: TOPIC, messages: [{ value }] }));
        }
        refused.open();
      },
    });
    await within('the refusal', refused.pass());
    await within('what the callback has sent', Promise.all(sent));
    await within('what is sent afterwards', own.send({ topic: TOPIC, messages: [{ value: 'after' }] }));
    expect(await valuesFrom('one', 4)).toEqual(['one', 'two', 'three', 'after']);
  } finally {
    await client.close();
  }
});

const nested: Record<string, (send: () => void) => object> = {
  'a getter of a value': (send) => ({
    get value() {
      send();
      return 'outer';
    },
  }),
  'a getter of a header': (send) => ({
    value: 'outer',
    headers: {
      first: '1',
      get second() {
        send();
        return '2';
      },
    },
  }),
  'a proxy of headers': (send) => ({
    value: 'outer',
    headers: new Proxy(
      { first: '1', second: '2' },
      {
        ownKeys: (target) => {
          send();
          return Reflect.ownKeys(target);
        },
        get: (target, name, receiver): unknown => {
          send();
          return Reflect.get(target, name, receiver);
        },
      },
    ),
  }),
  'an iterator of a header that is a list': (send) => ({
    value: 'outer',
    headers: {
      list: Object.assign(['1', '2'], {
        *[Symbol.iterator]() {
          yield 'a';
          send();
          yield 'b';
        },
      }),
    },
  }),
  'a timestamp that turns itself into a number': (send) => ({
    value: 'outer',
    timestamp: {
      valueOf: () => {
        send();
        return 1000;
      },
      toString: () => {
        send();
        return '1000';
      },
    },
  }),
  'bytes that tell a length of their own': (send) => {
    const value = Buffer.from('outer');
    Object.defineProperty(value, 'length', {
      get: () => {
        send();
        return 2;
      },
    });
    return { value };
  },
};

for (const [what, make] of Object.entries(nested)) {
  test(`${what} may send: records are written whole`, async () => {
    const topic = unique('again-nested');
    await createTopics({ [topic]: 1 });
    const inner: Promise<unknown>[] = [];
    const send = (): void => {
      if (inner.length > 8) return;
      // As many as a flush takes, so that the buffers are handed over too.
      const messages = Array.from({ length: 300 }, () => ({ value: 'inner' }));
      inner.push(producer.send({ topic, messages }));
    };
    const first = { value: 'first', headers: { h: 'h' } };
    const outer = producer.send({ topic, messages: [first, make(send), { value: 'last' }] as any });
    // A timestamp that is an object may be refused; nothing may be left open.
    const outcome = await within(
      'the outer send',
      outer.then(
        () => 'sent',
        () => 'refused',
      ),
    );
    await within('the inner sends', Promise.all(inner));
    await within('a later send', producer.send({ topic, messages: [{ value: 'end' }] }));
    const seen = await Tap.on([topic]);
    const expected = inner.length * 300 + (outcome === 'sent' ? 3 : 0) + 1;
    const values = (await seen.read(topic, expected)).map(({ value }) => value);
    await seen.close();
    expect(values).toHaveLength(expected);
    if (outcome === 'sent') {
      expect(values.filter((value) => value !== 'inner')).toEqual(['first', 'outer', 'last', 'end']);
    } else {
      expect(values.filter((value) => value !== 'inner')).toEqual(['end']);
    }
  });
}

test('a message that cannot be written is refused with all of its send, and the next one goes out', async () => {
  const topic = unique('again-refused');
  await createTopics({ [topic]: 1 });
  const messages = [{ value: 'kept back' }, { value: 'x', headers: { count: 5 } }];
  const refused = producer.send({ topic, messages: messages as any });
  await expect(within('the refusal', refused)).rejects.toThrow(
    `The header "count" of a message to ${topic} (index 1 of its send) must be a string or a Buffer. Received type number (5)`,
  );
  await producer.send({ topic, messages: [{ value: 'next' }] });
  const seen = await Tap.on([topic]);
  const values = (await seen.read(topic, 1)).map(({ value }) => value);
  await seen.close();
  expect(values).toEqual(['next']);
});

const bytes = (): Uint8Array<ArrayBuffer> => new TextEncoder().encode('there');

function transfer({ buffer }: Uint8Array<ArrayBuffer>): void {
  structuredClone(buffer, { transfer: [buffer] });
}

test('bytes that are not there any more are refused with all of their send; those that were there at the call go out', async () => {
  const topic = unique('again-gone');
  await createTopics({ [topic]: 1 });
  const sent = bytes();
  const sending = producer.send({ topic, messages: [{ value: sent }] as any });
  transfer(sent);
  await sending;
  const transferred = bytes();
  transfer(transferred);
  const shrinking = new (ArrayBuffer as any)(8, { maxByteLength: 8 });
  const shortened = new Uint8Array(shrinking, 0, 8);
  shrinking.resize(4);
  for (const gone of [transferred, shortened]) {
    for (const [name, message] of [
      ['value', { value: gone }],
      ['key', { key: gone, value: 'x' }],
      ['header "h"', { value: 'x', headers: { h: gone } }],
    ] as const) {
      const refused = producer.send({ topic, messages: [{ value: 'kept back' }, message] as any });
      await expect(within('the refusal', refused)).rejects.toThrow(
        `The ${name} of a message to ${topic} (index 1 of its send) must be a string or a Buffer. Received bytes whose ArrayBuffer was transferred or shortened`,
      );
    }
  }
  await producer.send({ topic, messages: [{ value: 'next', key: Buffer.alloc(0) }] });
  const seen = await Tap.on([topic]);
  const values = (await seen.read(topic, 2)).map(({ value }) => value);
  await seen.close();
  expect(values).toEqual(['there', 'next']);
});

test.each([1, 2, 3, 4])('a value that is no text from look %i on leaves nothing open', async (from) => {
  const topic = unique('again-changing');
  await createTopics({ [topic]: 1 });
  let looks = 0;
  const changing = {
    get value(): unknown {
      looks += 1;
      return looks < from ? 'text' : 5;
    },
  };
  const sent = producer.send({ topic, messages: [{ value: 'first' }, changing] as any });
  const outcome = await within(
    'the send',
    sent.then(
      () => 2,
      () => 0,
    ),
  );
  await within('the next send', producer.send({ topic, messages: [{ value: 'next' }] }));
  const seen = await Tap.on([topic]);
  expect(await seen.read(topic, outcome + 1)).toHaveLength(outcome + 1);
  await seen.close();
});
