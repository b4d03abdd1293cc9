import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { schemaRegistry, type SchemaRegistryLike } from 'nestjs-kafka-native/schema-registry';
import { describe, expect, it } from 'vitest';

const registry = new SchemaRegistry({ host: 'http://127.0.0.1:9' });

describe('schemaRegistry()', () => {
  it.each<[string, object]>([
    ['has no option topic: there are topics, keys', { topic: ['orders'] }],
    ['Option topics of schemaRegistry() must be a list', { topics: 'orders' }],
    ['Option topics of schemaRegistry() must be a list', { topics: [7] }],
    ['Option keys of schemaRegistry() must be true or false', { keys: 'yes' }],
    ['Option subject of schemaRegistry() must be a function', { subject: 'orders-value' }],
    ["Option reader of schemaRegistry() must be 'writer' or 'latest'", { reader: 'newest' }],
    ['Option warm of schemaRegistry() must be true, false or a list', { warm: 'orders-value' }],
    ['has no option confluent.encoder', { confluent: { encoder: {} } }],
  ])('%s', (message, options) => {
    expect(() => schemaRegistry(registry, options)).toThrow(message);
  });

  it.each([undefined, 'http://registry', {}, { decode: () => 1 }])('takes a client, not %o', (client) => {
    expect(() => schemaRegistry(client as unknown as SchemaRegistryLike)).toThrow('takes a registry client');
  });

  it('leaves topics without schemas to NestJS', () => {
    const { serializer, deserializer } = schemaRegistry(registry, { topics: ['orders', /^metrics\./g] });
    expect(serializer.serialize({ a: 1 }, { pattern: 'clicks' })).toEqual({ value: '{"a":1}' });
    const message = { topic: 'clicks', value: { a: 1 }, headers: {} } as never;
    expect(deserializer.deserialize(message, { channel: 'clicks' })).toEqual({
      pattern: 'clicks',
      data: { a: 1 },
    });
    for (const topic of ['orders', 'metrics.cpu', 'metrics.cpu']) {
      const made = serializer.serialize(Buffer.from('x'), { pattern: topic });
      expect(made).toBeInstanceOf(Promise);
    }
    // NestJS's own server does not say where a reply goes.
    expect(serializer.serialize({ a: 1 })).toEqual({ value: '{"a":1}' });
  });

  it('sends bytes as they are, and says when a subject is not named', async () => {
    const { serializer } = schemaRegistry(registry, { subject: () => undefined });
    const bytes = Buffer.from([0, 0, 0, 0, 1, 2]);
    expect(await serializer.serialize({ key: 'k', value: bytes }, { pattern: 'orders' })).toMatchObject({
      key: 'k',
      value: bytes,
    });
    await expect(serializer.serialize({ a: 1 }, { pattern: 'orders' })).rejects.toMatchObject({
      name: 'KafkaSchemaError',
      topic: 'orders',
    });
  });
});
