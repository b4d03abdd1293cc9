import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SchemaRegistryClient } from '@confluentinc/schemaregistry';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { schemaRegistry, type SchemaRegistryLike } from 'nestjs-kafka-native/schema-registry';
import { describe, expect, it } from 'vitest';
import { TOPIC_AWARE } from '../../lib/nest/topic-aware.js';

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

const KAFKAJS = (url: string) => new SchemaRegistry({ host: url, retry: { retries: 0 } });
const CONFLUENT = (url: string) => new SchemaRegistryClient({ baseURLs: [url], maxRetries: 0 });

/** The errors of all that needs the registry. */
async function failuresOf(client: SchemaRegistryLike): Promise<unknown[]> {
  const { serializer, deserializer } = schemaRegistry(client);
  const message = { topic: 'orders', value: Buffer.from([0, 0, 0, 0, 7, 2]), headers: {} } as never;
  const outcomes = await Promise.allSettled([
    serializer[TOPIC_AWARE].prepare(['orders']),
    serializer.serialize({ id: 1 }, { pattern: 'orders' }),
    deserializer.deserialize(message, { channel: 'orders' }),
  ]);
  return outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason);
}

describe('a registry that does not answer', () => {
  it.each([
    ['@kafkajs/confluent-schema-registry', KAFKAJS, 'host of new SchemaRegistry()'],
    ['@confluentinc/schemaregistry', CONFLUENT, 'baseURLs of new SchemaRegistryClient()'],
  ])('at a port that nobody listens on: %s', async (_, client, option) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const failures = await failuresOf(client(`http://me:secret@127.0.0.1:${port}`));
    const words = ['the schemas of orders-value', 'the latest schema of orders-value', 'schema 7'];
    expect(failures).toEqual(
      words.map((request) => expect.objectContaining({ name: 'KafkaSchemaRegistryError', request })),
    );
    for (const [index, { message }] of (failures as Error[]).entries()) {
      expect(message).toContain(
        `The schema registry did not give ${words[index]}: connect ECONNREFUSED 127.0.0.1:${port} (asked at http://127.0.0.1:${port}`,
      );
      expect(message).toContain(`Does the registry run, and is this its address`);
      expect(message).toContain(option);
      expect(message).not.toMatch(/secret|status 400/);
    }
  });

  it.each([
    ['@kafkajs/confluent-schema-registry', KAFKAJS, 'auth: { username, password }'],
    ['@confluentinc/schemaregistry', CONFLUENT, 'basicAuthCredentials or bearerAuthCredentials'],
  ])('that wants credentials: %s', async (_, client, option) => {
    const server = createServer((_request, response) => {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error_code: 401, message: 'Unauthorized' }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      for (const { message } of (await failuresOf(client(`http://127.0.0.1:${port}`))) as Error[]) {
        expect(message).toMatch(/Unauthorized.* \(asked at http:\/\/127\.0\.0\.1:/);
        expect(message).toContain(`Give credentials that may read it: ${option}`);
      }
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
