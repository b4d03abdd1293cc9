import { describe, expect, it } from 'vitest';
import { validateNestOptions } from '../../lib/options/index.js';
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
    [{ postfixId: 1 }, 'options.postfixId: expected a string, got 1'],
    [{ consumer: [] }, 'options.consumer: expected an object, got an array'],
    [{ replyTimeout: 5 }, 'options.replyTimeout has no effect here: it belongs to the client'],
  ])('are checked at construction: %j', (options, text) => {
    expect(failure(options).message).toContain(text);
  });

  it('keep the server’s extensions out of the client', () => {
    expect(failure({ deadLetter: {} }, 'client').message).toContain('belongs to the server');
    expect(() => validateNestOptions('server', { deadLetter: {} })).not.toThrow();
  });
});
