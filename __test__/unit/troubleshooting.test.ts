import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClientKafka, Kafka, ServerKafka } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';

// docs/troubleshooting.md quotes messages. A reader looks for what is on the screen, so each has to be one that exists: in this
// package's code, in NestJS's, or in librdkafka, whose texts are in the binary.

const ROOT = join(import.meta.dirname, '../..');

function textsBelow(folder: string, extension: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => extension.test(name))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8'));
}

const binary = readdirSync(ROOT).find((name) => name.endsWith('.node')) as string;
const code = [
  ...textsBelow('lib', /\.ts$/),
  ...textsBelow('src', /\.rs$/),
  ...textsBelow('crates', /\.rs$/),
  ...textsBelow('binding', /\.js$/),
  ...textsBelow('node_modules/@nestjs/microservices', /\.js$/),
  readFileSync(join(ROOT, 'index.js'), 'utf8'),
  readFileSync(join(ROOT, binary), 'latin1'),
  readFileSync(join(ROOT, 'node_modules/typescript/lib/typescript.js'), 'utf8'),
  // What the C library says of a failed system call.
  'Connection refused',
]
  .join('\n')
  .replaceAll(String.raw`\'`, "'");

const page = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');
const quoted = [...page.matchAll(/\*\*`([^`]+)`\*\*/g)].map(([, text]) => text as string);

test('the page quotes messages', () => {
  expect(quoted.length).toBeGreaterThan(60);
});

test.each(quoted)('%s', (message) => {
  // What is between the parts that vary, and between two sentences that are put together.
  const parts = message
    .split(/…|: /)
    .map((part) => part.trim())
    .filter((part) => part.length > 3);
  expect(parts.filter((part) => !code.includes(part))).toEqual([]);
});

const client = { brokers: ['localhost:9092'] };
const kafka = new Kafka(client);

// What needs no broker to happen: the text is the page's, and the class the one that it names.
test.each<[string, string, () => unknown]>([
  [
    'Option … cannot be AWS: use client.sasl: …',
    'KafkaJSInvalidOptionError',
    () => new Kafka({ ...client, librdkafka: { 'sasl.mechanisms': 'AWS' } }).admin(),
  ],
  [
    'Unknown option …: did you mean …?',
    'KafkaJSInvalidOptionError',
    () => new ServerKafka({ client: { ...client, clientID: 'a' } } as object),
  ],
  [
    'Unknown option …: known options are …',
    'KafkaJSInvalidOptionError',
    () => new ServerKafka({ client: { ...client, colour: 'red' } } as object),
  ],
  [
    'Invalid option …: expected …, got …',
    'KafkaJSInvalidOptionError',
    () => new ServerKafka({ client, consumer: { sessionTimeout: '30s' as never } }),
  ],
  [
    'Option … is not supported: …; …',
    'KafkaJSInvalidOptionError',
    () => new ServerKafka({ client: { ...client, socketFactory: (() => null) as never } }),
  ],
  [
    'Option … has no effect here: it belongs to …',
    'KafkaJSInvalidOptionError',
    () => new ServerKafka({ client, replyTimeout: 1000 }),
  ],
  [
    'Option … has no effect here: it belongs to …',
    'KafkaJSInvalidOptionError',
    () => new ClientKafka({ client, deadLetter: {} }),
  ],
  [
    `Option … cannot be "consumer" here: the group's members assign the reply partitions themselves…`,
    'KafkaJSInvalidOptionError',
    () => new ClientKafka({ client, consumer: { groupProtocol: 'consumer' } }),
  ],
  [
    'Option … cannot be set: …',
    'KafkaJSInvalidOptionError',
    () => new ServerKafka({ client, consumer: { librdkafka: { 'enable.auto.commit': true } } }),
  ],
  [
    'Failed to connect: brokers array is empty',
    'KafkaJSNonRetriableError',
    () => new ServerKafka({ client: { brokers: [] } }),
  ],
  [
    'Consumer groupId must be a non-empty string.',
    'KafkaJSNonRetriableError',
    () => kafka.consumer({ groupId: '' }),
  ],
  [
    'Consumer heartbeatInterval (…) must be lower than sessionTimeout (…)…',
    'KafkaJSNonRetriableError',
    () => kafka.consumer({ groupId: 'a', sessionTimeout: 1000, heartbeatInterval: 1000 }),
  ],
  [
    'The producer is disconnected',
    'KafkaJSError',
    () => kafka.producer().send({ topic: 'a', messages: [{ value: 'a' }] }),
  ],
  [
    'The admin client is not connected: call connect() first',
    'KafkaJSNonRetriableError',
    () => kafka.admin().listTopics(),
  ],
  [
    'admin.…() is not supported by librdkafka: use …',
    'KafkaJSNotImplemented',
    () => kafka.admin().listPartitionReassignments({}),
  ],
])('%s happens, and is a %s', async (quote, name, provoke) => {
  expect(quoted).toContain(quote);
  const error = await Promise.resolve()
    .then(provoke)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  const pattern = quote
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join('.*');
  expect(error).toMatchObject({ name });
  expect((error as Error).message).toMatch(new RegExp(pattern));
});
