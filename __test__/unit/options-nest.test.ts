import { describe, expect, it } from 'vitest';
import { readNestOptions, validateNestOptions } from '../../lib/nest/options/index.js';
import { ClientKafka } from '../../lib/nest/client/client-kafka.js';
import { ServerKafka } from '../../lib/nest/server/server-kafka.js';
import { errorOf } from './options-harness.js';

const failure = (options: unknown, role: 'client' | 'server' = 'server') =>
  errorOf(() => validateNestOptions(role, options));

describe('NestJS’s options', () => {
  it('may be missing', () => {
    expect(() => validateNestOptions('server', undefined)).not.toThrow();
    expect(() => validateNestOptions('client', {})).not.toThrow();
    expect(() => validateNestOptions('server', { client: undefined, consumer: {} })).not.toThrow();
  });

  it('are all of stock’s', () => {
    const options = {
      postfixId: '',
      client: { clientId: 'c', brokers: ['a:1'], retry: { retries: 1 }, logLevel: 1 },
      consumer: { groupId: 'g', allowAutoTopicCreation: true, sessionTimeout: 9000 },
      run: { autoCommit: false, partitionsConsumedConcurrently: 3 },
      subscribe: { fromBeginning: true },
      producer: { allowAutoTopicCreation: true, idempotent: false },
      send: { acks: -1, timeout: 3000 },
      serializer: { serialize: () => undefined },
      deserializer: { deserialize: () => undefined },
      parser: { keepBinary: true },
      producerOnlyMode: true,
    };
    expect(() => validateNestOptions('server', options)).not.toThrow();
    expect(() => validateNestOptions('client', options)).not.toThrow();
    expect(() =>
      validateNestOptions('client', { ...options, replyTimeout: 100, maxPendingRequests: 5 }),
    ).not.toThrow();
  });

  it('leave the application’s serializers as they are', () => {
    const serializer: Record<string, unknown> = { cache: null, serialize: () => ({ value: null }) };
    serializer['self'] = serializer;
    const deserializer = { cache: null, deserialize: () => undefined };
    for (const role of ['client', 'server'] as const) {
      const given = readNestOptions(role, { serializer, deserializer, client: { ssl: null } } as never);
      expect(given.serializer).toBe(serializer);
      expect(given.deserializer).toBe(deserializer);
      expect(given.client).toEqual({});
    }
  });

  it('take numbers that are given as text', () => {
    const topics = { instances: '3', defaults: { partitions: '4', replicationFactor: '2' } };
    const options = { replyTimeout: '1500', maxPendingRequests: '10', topics } as never;
    expect(readNestOptions('client', options)).toEqual({
      replyTimeout: 1500,
      maxPendingRequests: 10,
      topics: { instances: 3, defaults: { partitions: 4, replicationFactor: 2 } },
    });
  });

  it.each([
    [{ consummer: {} }, 'Unknown option options.consummer: did you mean options.consumer?'],
    [{ client: { foo: 1 } }, 'Unknown option client.foo'],
    [{ client: { brokers: [] } }, 'brokers array is empty'],
    [{ consumer: { foo: 1 } }, 'Unknown option consumer.foo'],
    [{ consumer: { heartbeatInterval: 30_000 } }, 'must be lower than sessionTimeout'],
    [
      { run: { eachMessage: () => undefined } },
      'run.eachMessage is not supported: NestJS’s own handler is called',
    ],
    [{ run: { foo: 1 } }, 'Unknown option run.foo'],
    [{ subscribe: { topics: ['t'] } }, 'subscribe.topics is not supported'],
    [{ producer: { foo: 1 } }, 'Unknown option producer.foo'],
    [
      { producer: { librdkafka: { 'client.id': 'x' } } },
      'producer.librdkafka["client.id"] cannot be set: use client.clientId',
    ],
    [{ send: { foo: 1 } }, 'Unknown option send.foo'],
    [{ parser: { foo: 1 } }, 'options.parser.foo'],
    [{ producer: { idempotent: true }, send: { acks: 0 } }, 'EoS guarantees'],
    [{ postfixId: 1 }, 'options.postfixId: expected a string, got a number'],
    [{ consumer: [] }, 'options.consumer: expected an object, got an array'],
    [{ replyTimeout: 5 }, 'options.replyTimeout has no effect here: it belongs to the client'],
  ])('are checked at construction: %j', (options, text) => {
    expect(failure(options).message).toContain(text);
  });

  it.each([
    [{ consumer: { fromBeginning: true } }, 'consumer.fromBeginning: did you mean subscribe.fromBeginning?'],
    [{ subscribe: { fromBegining: true } }, 'subscribe.fromBegining: did you mean subscribe.fromBeginning?'],
    [{ fromBeginning: true }, 'options.fromBeginning: did you mean subscribe.fromBeginning?'],
    [{ brokers: ['a:1'] }, 'options.brokers: did you mean client.brokers?'],
    [{ client: { groupId: 'g' } }, 'client.groupId: did you mean consumer.groupId?'],
    [{ groupID: 'g' }, 'options.groupID: did you mean consumer.groupId?'],
    [{ consumer: { autoCommit: false } }, 'consumer.autoCommit: did you mean run.autoCommit?'],
    [{ consumer: { autoComit: false } }, 'consumer.autoComit: did you mean run.autoCommit?'],
    [{ run: { sessionTimeout: 1 } }, 'run.sessionTimeout: did you mean consumer.sessionTimeout?'],
    [{ producer: { acks: 1 } }, 'producer.acks: did you mean send.acks?'],
    [{ producer: { ack: 1 } }, 'producer.ack: did you mean send.acks?'],
    [{ send: { idempotent: true } }, 'send.idempotent: did you mean producer.idempotent?'],
    [{ consumer: { retries: 1 } }, 'consumer.retries: did you mean consumer.retry.retries?'],
    [{ client: { retry: { retires: 1 } } }, 'client.retry.retires: did you mean client.retry.retries?'],
    [{ client: { ca: 'x' } }, 'client.ca: did you mean client.ssl.ca?'],
    [{ client: { maxAttempts: 2 } }, 'client.maxAttempts: did you mean options.deadLetter.maxAttempts?'],
    [
      { send: { allowAutoTopicCreation: true } },
      'send.allowAutoTopicCreation: did you mean consumer.allowAutoTopicCreation or producer.allowAutoTopicCreation?',
    ],
    [
      { run: { 'fetch.min.bytes': 1 } },
      "run.fetch.min.bytes: librdkafka's own properties go into client.librdkafka or consumer.librdkafka or producer.librdkafka",
    ],
  ])('that stand elsewhere, or are misspelt, are named where they belong: %j', (options, text) => {
    expect(failure(options).message).toBe(`Unknown option ${text}`);
  });

  it('count as not given when they are null, in all groups', () => {
    const names = [
      'client',
      'consumer',
      'run',
      'subscribe',
      'producer',
      'send',
      'parser',
      'deadLetter',
      'postfixId',
      'serializer',
      'deserializer',
      'producerOnlyMode',
      'replyTimeout',
      'maxPendingRequests',
      'replies',
    ];
    const nothing = Object.fromEntries(names.map((name) => [name, null]));
    const nested = {
      client: {
        brokers: null,
        clientId: null,
        ssl: null,
        sasl: null,
        retry: null,
        logLevel: null,
        librdkafka: null,
      },
      consumer: { groupId: null, retry: null, partitionAssigners: null, sessionTimeout: null },
      run: { autoCommit: null, partitionsConsumedConcurrently: null },
      producer: { retry: null, idempotent: null },
      send: { acks: null, timeout: null, compression: null },
      subscribe: { fromBeginning: null },
    };
    for (const options of [nothing, nested, null] as never[]) {
      expect(() => [new ServerKafka(options), new ClientKafka(options)]).not.toThrow();
      expect(new ServerKafka(options)).toMatchObject({ clientId: 'nestjs-consumer-server', options: {} });
    }
  });

  it('keep the server’s extensions out of the client', () => {
    expect(failure({ deadLetter: {} }, 'client').message).toContain('belongs to the server');
    expect(() => validateNestOptions('server', { deadLetter: {} })).not.toThrow();
  });
});
