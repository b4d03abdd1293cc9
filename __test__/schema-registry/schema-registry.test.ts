import { Controller, type Type } from '@nestjs/common';
import {
  ClientKafka as StockClient,
  Ctx,
  EventPattern,
  type KafkaContext,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { create, createFileRegistry, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { SchemaRegistryClient } from '@confluentinc/schemaregistry';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import {
  BatchPattern,
  ClientKafka,
  KafkaBatchContext,
  KafkaBatchError,
  ServerKafka,
  type NestKafkaOptions,
} from 'nestjs-kafka-native';
import {
  schemaRegistry,
  type SchemaRegistryLike,
  type SchemaRegistryOptions,
} from 'nestjs-kafka-native/schema-registry';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listen, optionsFor, startClient } from '../harness/apps';
import { closeBroker, createTopics, kafka, rawProducer, unique, untilCommitted } from '../harness/broker';
import { QUICK } from '../harness/dead-letters';
import { logs } from '../harness/logs';
import { header, Tap } from '../harness/tap';
import { until } from '../harness/wait';
import { SchemaRegistryServer } from './registry';

// Both packages against one registry, over a real broker. What one writes the other reads, and so do applications that use kafkajs and
// its registry package themselves.

const server = new SchemaRegistryServer();
const open: { close(): Promise<unknown> }[] = [];
let topic = '';

beforeAll(() => server.start());
afterAll(async () => {
  await server.stop();
  await closeBroker();
});
beforeEach(() => {
  topic = unique('schema');
  server.requests.length = 0;
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  await server.stop();
  await server.start();
});

/** Clients whose failures come quickly. */
const CLIENTS = {
  kafkajs: () => new SchemaRegistry({ host: server.url, retry: { retries: 0 } }),
  confluent: () => new SchemaRegistryClient({ baseURLs: [server.url], maxRetries: 0 }),
} satisfies Record<string, () => SchemaRegistryLike>;
type Package = keyof typeof CLIENTS;
const PACKAGES = Object.keys(CLIENTS) as Package[];

const ORDER = { type: 'record', name: 'Order', fields: [{ name: 'id', type: 'int' }] };
const WIDER = {
  ...ORDER,
  fields: [...ORDER.fields, { name: 'currency', type: 'string', default: 'EUR' }],
};

type Seen = [data: any, value: any][];

/** What is read without the class that the package gives it. */
const plain = ([data]: Seen[number]): object => Object.assign({}, data);

function handling(seen: Seen): Type {
  @Controller()
  class Orders {
    @EventPattern<string>(topic)
    order(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
      seen.push([data, context.getMessage().value]);
    }
  }
  return Orders;
}

async function serve(
  controllers: Type[],
  { name, registry, ...rest }: NestKafkaOptions & { name: Package; registry?: SchemaRegistryOptions },
): Promise<void> {
  const strategy = new ServerKafka({
    subscribe: { fromBeginning: true },
    deadLetter: { backoff: QUICK },
    ...(optionsFor(topic) as NestKafkaOptions),
    ...schemaRegistry(CLIENTS[name](), registry),
    ...rest,
  });
  open.push(await listen(strategy as never, controllers));
}

async function connect(
  name: Package,
  registry?: SchemaRegistryOptions,
  patterns: string[] = [],
): Promise<ClientKafka> {
  const client = new ClientKafka({
    ...(optionsFor(unique('client')) as NestKafkaOptions),
    ...schemaRegistry(CLIENTS[name](), registry),
    producerOnlyMode: patterns.length === 0,
  });
  for (const pattern of patterns) client.subscribeToResponseOf(pattern);
  open.push(client);
  await client.connect();
  return client;
}

async function write(...values: (Buffer | string | null)[]): Promise<void> {
  await (await rawProducer()).send({ topic, messages: values.map((value) => ({ value })) });
}

async function tap(...topics: string[]): Promise<Tap> {
  const reader = await Tap.on(topics);
  open.push(reader);
  return reader;
}

describe.each(PACKAGES)('over the package of %s', (name) => {
  const other = PACKAGES.find((each) => each !== name) as Package;

  test('Avro: what is sent has the latest schema, and the other package reads it', async () => {
    await createTopics({ [topic]: 1 });
    const id = await server.register(`${topic}-value`, ORDER);
    const seen: Seen = [];
    await serve([handling(seen)], { name: other });
    const client = await connect(name);
    await lastValueFrom(client.emit(topic, { id: 1 }));
    await lastValueFrom(client.emit(topic, { key: 'k', value: { id: 2 }, headers: { a: 'b' } }));
    await lastValueFrom(client.emitBatch(topic, { messages: [{ id: 3 }, { key: 'k', value: null }] }));
    await until('all are handled', () => seen.length === 4);
    expect(seen.slice(0, 3).map(([data, value]) => [plain([data, data]), plain([value, value])])).toEqual(
      [1, 2, 3].map((each) => [{ id: each }, { id: each }]),
    );
    // A tombstone's payload is the message.
    expect(seen[3]?.[0]).toMatchObject({ key: 'k', value: null });
    const [first, second] = await (await tap(topic)).read(topic, 4);
    expect(Buffer.from(first!.value!, 'latin1')).toEqual(Buffer.from([0, 0, 0, 0, id, 2]));
    expect(second).toMatchObject({ key: 'k', headers: [['a', 'b']] });
  });

  test('Avro: an older version is read as it was written, or as the latest', async () => {
    await createTopics({ [topic]: 1 });
    await server.register(`${topic}-value`, ORDER);
    const old = await new SchemaRegistry({ host: server.url }).encode(
      await server.register(`${topic}-value`, ORDER),
      { id: 1 },
    );
    const id = await server.register(`${topic}-value`, WIDER);
    await expect(
      server.register(`${topic}-value`, { ...ORDER, fields: [{ name: 'sku', type: 'string' }] }),
    ).rejects.toThrow('409');
    const wide = await new SchemaRegistry({ host: server.url }).encode(id, { id: 2, currency: 'CHF' });
    await write(old, wide);
    const [written, latest]: [Seen, Seen] = [[], []];
    await serve([handling(written)], { name });
    await serve([handling(latest)], {
      name,
      registry: { reader: 'latest' },
      ...(optionsFor(`${topic}-latest`) as NestKafkaOptions),
    });
    await until('all are handled', () => written.length === 2 && latest.length === 2);
    expect(written.map(plain)).toEqual([{ id: 1 }, { id: 2, currency: 'CHF' }]);
    expect(latest.map(plain)).toEqual([
      { id: 1, currency: 'EUR' },
      { id: 2, currency: 'CHF' },
    ]);
  });

  test('JSON Schema: values that the schema does not take are refused', async () => {
    await createTopics({ [topic]: 1 });
    const schema = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] };
    await server.register(`${topic}-value`, { ...schema, additionalProperties: false }, 'JSON');
    const seen: Seen = [];
    await serve([handling(seen)], { name: other });
    const confluent = { serializer: { validate: true } };
    const client = await connect(name, { confluent });
    await expect(lastValueFrom(client.emit(topic, { id: 'one' }))).rejects.toMatchObject({
      name: 'KafkaSchemaError',
      message: expect.stringContaining(`does not go with the schema of ${topic}-value`),
    });
    await lastValueFrom(client.emit(topic, { id: 1 }));
    await until('it is handled', () => seen.length === 1);
    expect(seen[0]?.[0]).toEqual({ id: 1 });
  });

  test('what cannot be decoded goes to the dead letters at once, and the rest is handled', async () => {
    await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
    const id = await server.register(`${topic}-value`, ORDER);
    const good = await new SchemaRegistry({ host: server.url }).encode(id, { id: 1 });
    const unknown = Buffer.from('000000ffff02', 'hex');
    const cut = Buffer.concat([good.subarray(0, 5), Buffer.from([0x80])]);
    await write('{"id":1}', unknown, cut, good);
    const seen: Seen = [];
    await serve([handling(seen)], { name });
    const reader = await tap(`${topic}.DLT`);
    const dead = await reader.read(`${topic}.DLT`, 3);
    await untilCommitted(`${topic}-server`, topic, 4);
    expect(seen.map(plain)).toEqual([{ id: 1 }]);
    expect(dead.map(({ value }) => Buffer.from(value!, 'latin1'))).toEqual([
      Buffer.from('{"id":1}'),
      unknown,
      cut,
    ]);
    expect(dead.map((record) => header(record, 'kafka_dlt-exception-fqcn'))).toEqual(
      Array.from({ length: 3 }, () => 'KafkaSchemaError'),
    );
    const reasons = dead.map((record) => header(record, 'kafka_dlt-exception-message'));
    expect(reasons[0]).toContain('was written without a schema');
    expect(reasons[1]).toContain('has no schema 65535');
    expect(reasons[2]).toContain(`cannot be decoded with schema ${id}`);
    expect(
      logs
        .matching('warn', `of ${topic} [0] is now in`)
        .map((line) => / after (\w+) deliver/.exec(line)?.[1]),
    ).toEqual(['1', '1', '1']);
  });

  test('without the registry messages wait for it, however often, and are handled when it is back', async () => {
    await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
    const id = await server.register(`${topic}-value`, ORDER);
    const seen: Seen = [];
    await serve([handling(seen)], { name, deadLetter: { maxAttempts: 2, backoff: QUICK } });
    // A version that the server has not seen.
    const later = await new SchemaRegistry({ host: server.url }).encode(
      await server.register(`${topic}-value`, WIDER),
      { id: 2, currency: 'CHF' },
    );
    await server.stop();
    await write(Buffer.from([0, 0, 0, 0, id, 2]), later);
    // What was fetched before is decoded without it.
    await until('the first is handled', () => seen.length === 1);
    const waits = `Message 1 of ${topic} [0] waits for the schema registry: The schema registry did not give schema`;
    // At the first, second and fourth delivery.
    await until('it was tried more often than maxAttempts', () => logs.matching('warn', waits).length === 3);
    await server.start();
    await until('the second is handled', () => seen.length === 2);
    expect({ ...seen[1]?.[0] }).toEqual({ id: 2, currency: 'CHF' });
    await untilCommitted(`${topic}-server`, topic, 2);
    expect(await (await tap(`${topic}.DLT`)).read(`${topic}.DLT`, 0)).toEqual([]);
  });

  test('the schemas are fetched before listen(), which fails without a registry', async () => {
    await createTopics({ [topic]: 1 });
    const ids = [
      await server.register(`${topic}-value`, ORDER),
      await server.register(`${topic}-value`, WIDER),
    ];
    server.requests.length = 0;
    const seen: Seen = [];
    await serve([handling(seen)], { name });
    for (const id of ids) expect(server.requests).toContain(`GET /schemas/ids/${id}`);
    const asked = server.requests.length;
    await write(Buffer.from([0, 0, 0, 0, ids[0]!, 2]));
    await until('it is handled', () => seen.length === 1);
    expect(server.requests.length).toBe(asked);

    await server.stop();
    await expect(serve([handling(seen)], { name })).rejects.toMatchObject({
      name: 'KafkaSchemaRegistryError',
      message: expect.stringContaining(`The schema registry did not give the schemas of ${topic}-value`),
    });
    await expect(connect(name, { warm: [`${topic}-value`] })).rejects.toMatchObject({
      name: 'KafkaSchemaRegistryError',
    });
    await serve([handling(seen)], { name, registry: { warm: false } });
  });

  test('requests and replies have schemas, too, and keys where they are to', async () => {
    const reply = `${topic}.reply`;
    await createTopics({ [topic]: 1, [reply]: 1 });
    for (const each of [topic, reply]) await server.register(`${each}-value`, ORDER);
    await server.register(`${topic}-key`, '"string"');
    @Controller()
    class Doubling {
      @MessagePattern(topic)
      double(@Payload() { id }: { id: number }, @Ctx() context: KafkaContext): unknown {
        if (id === 13) return { id: 'no number' };
        return { id: id * 2 + String(context.getMessage().key).length };
      }
    }
    const registry: SchemaRegistryOptions = {
      topics: [topic, /\.reply$/],
      keys: true,
      subject: (where, field) => (where === reply && field === 'key' ? undefined : `${where}-${field}`),
    };
    await serve([Doubling], { name, registry });
    const client = await connect(other, registry, [topic]);
    const ask = (id: number): Promise<any> =>
      firstValueFrom(client.send(topic, { key: 'abc', value: { id } }));
    expect({ ...(await ask(2)) }).toEqual({ id: 7 });
    // What does not go with the reply's schema is an error of the request, not silence.
    await expect(ask(13)).rejects.toMatchObject({
      message: expect.stringContaining(`does not go with the schema of ${reply}-value`),
    });
    const [request] = await (await tap(topic)).read(topic, 1);
    expect(request?.key?.charCodeAt(0)).toBe(0);
  });

  test('batches tell what cannot be decoded, and it alone goes to the dead letters', async () => {
    await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
    const id = await server.register(`${topic}-value`, ORDER);
    await write(Buffer.from([0, 0, 0, 0, id, 2]), 'text', Buffer.from([0, 0, 0, 0, id, 4]));
    const seen = new Set<number>();
    @Controller()
    class Batches {
      @BatchPattern(topic)
      all(@Payload() orders: ({ id: number } | undefined)[], @Ctx() context: KafkaBatchContext): void {
        const [failure] = context.getFailures();
        for (const order of orders.slice(0, failure?.index)) if (order) seen.add(order.id);
        if (failure) throw new KafkaBatchError(failure.index, failure.error);
      }
    }
    await serve([Batches], { name });
    await untilCommitted(`${topic}-server`, topic, 3);
    expect([...seen].toSorted((a, b) => a - b)).toEqual([1, 2]);
    const [dead] = await (await tap(`${topic}.DLT`)).read(`${topic}.DLT`, 1);
    expect(dead?.value).toBe('text');
  });
});

const PROTO = 'syntax = "proto3"; package shop; message Order { int32 id = 1; string currency = 2; }';

describe('to and from a program that uses kafkajs and its registry client', () => {
  const avro = { ...ORDER, fields: [...ORDER.fields, { name: 'currency', type: 'string' }] };
  const json = {
    type: 'object',
    properties: { id: { type: 'integer' }, currency: { type: 'string' } },
    required: ['id', 'currency'],
  };

  test.each<[format: string, name: Package, schema: string | object, type?: string]>([
    ['Avro', 'kafkajs', avro],
    ['Avro', 'confluent', avro],
    ['JSON Schema', 'kafkajs', json, 'JSON'],
    ['JSON Schema', 'confluent', json, 'JSON'],
    ['Protobuf', 'kafkajs', PROTO, 'PROTOBUF'],
  ])('%s, over the package of %s', async (_, name, schema, type) => {
    const back = `${topic}.back`;
    await createTopics({ [topic]: 1, [back]: 1 });
    const registry = new SchemaRegistry({ host: server.url });
    const id = await server.register(`${topic}-value`, schema, type);
    await server.register(`${back}-value`, schema, type);
    await write(await registry.encode(id, { id: 7, currency: 'CHF' }));
    const seen: Seen = [];
    await serve([handling(seen)], { name });
    await until('it is handled', () => seen.length === 1);
    expect({ ...seen[0]?.[0] }).toEqual({ id: 7, currency: 'CHF' });

    const client = await connect(name);
    await lastValueFrom(client.emit(back, { id: 8, currency: 'EUR' }));
    const consumer = kafka.consumer({ groupId: unique('stock'), maxWaitTimeInMs: 50 });
    open.push({ close: () => consumer.disconnect() });
    const read: unknown[] = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [back], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => void read.push(await registry.decode(message.value as Buffer)),
    });
    await until('kafkajs has read it', () => read.length === 1);
    expect({ ...(read[0] as object) }).toEqual({ id: 8, currency: 'EUR' });
  });
});

describe('Protobuf', () => {
  test("over Confluent's package, which takes messages of protobuf-es", async () => {
    await createTopics({ [topic]: 1 });
    const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, DESCRIPTOR));
    await server.register(`${topic}-value`, bytes.toString('base64'), 'PROTOBUF');
    const files = createFileRegistry(DESCRIPTOR, () => undefined);
    const Order = files.getMessage('shop.Order')!;
    const seen: Seen = [];
    await serve([handling(seen)], { name: 'confluent' });
    const client = await connect('confluent', { confluent: { serializer: { registry: files } } });
    await lastValueFrom(
      client.emit(topic, { value: create(Order, { id: 9, currency: 'EUR' } as Record<string, unknown>) }),
    );
    await until('it is handled', () => seen.length === 1);
    expect(seen[0]?.[0]).toMatchObject({ id: 9, currency: 'EUR' });
  });
});

/** `PROTO` as protoc describes it. */
const DESCRIPTOR = create(FileDescriptorProtoSchema, {
  name: 'shop.proto',
  package: 'shop',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Order',
      field: [
        { name: 'id', number: 1, type: 5, label: 1, jsonName: 'id' },
        { name: 'currency', number: 2, type: 9, label: 1, jsonName: 'currency' },
      ],
    },
  ],
});

test("NestJS's own client and server take them, too", async () => {
  await createTopics({ [topic]: 1 });
  await server.register(`${topic}-value`, ORDER);
  const stock = await startClient('stock', [], {
    ...optionsFor(unique('stock')),
    ...schemaRegistry(CLIENTS.kafkajs()),
    producerOnlyMode: true,
  });
  open.push(stock);
  expect(stock).toBeInstanceOf(StockClient);
  const seen: Seen = [];
  await serve([handling(seen)], { name: 'confluent' });
  await lastValueFrom(stock.emit(topic, { id: 5 }));
  await until('it is handled', () => seen.length === 1);
  expect({ ...seen[0]?.[0] }).toEqual({ id: 5 });
});
