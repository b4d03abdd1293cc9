import kafkajs from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import { nestTable } from '../../lib/nest/options/index.js';
import {
  adminTable,
  clientTable,
  consumerFixed,
  consumerProperties,
  consumerTable,
  producerFixed,
  producerProperties,
  producerTable,
  retryTable,
  runSettings,
  runTable,
  sendTable,
  sslTable,
  subscribeSettings,
  subscribeTable,
} from '../../lib/options/index.js';
import { Kafka } from '../../lib/kafkajs/kafka.js';
import {
  CompressionTypes,
  logLevel,
  type ConsumerConfig,
  type ProducerConfig,
} from '../../lib/kafkajs/types/index.js';
import { errorOf } from './options-harness.js';

const kafka = { brokers: ['a:9092'] };
const theirs = new kafkajs.Kafka({ brokers: ['a:9092'], logLevel: kafkajs.logLevel.NOTHING });
const consumer = (config: Partial<ConsumerConfig> = {}) =>
  consumerProperties(kafka, { groupId: 'g', ...config });
const producer = (config: ProducerConfig = {}, send = {}) => producerProperties(kafka, config, send);

describe('the tables', () => {
  const tables = [
    clientTable,
    consumerTable,
    producerTable,
    adminTable,
    sendTable,
    runTable,
    subscribeTable,
    retryTable,
    sslTable,
    nestTable,
  ];

  it('name each option once and describe it in a sentence', () => {
    for (const { path, rows } of tables) {
      expect(new Set(rows.map(({ name }) => name)).size, path).toBe(rows.length);
      for (const { name, doc, check } of rows) {
        expect(doc, `${path}.${name}`).toMatch(/\.$|\)\.$/);
        expect(check.text, `${path}.${name}`).not.toBe('');
      }
    }
    for (const { property, doc } of [...consumerFixed, ...producerFixed])
      expect(doc, property).toMatch(/\.$/);
  });

  it('list the properties that the rows set', () => {
    const context = { role: 'producer', client: {}, own: { transactionalId: 't' }, call: {} } as const;
    for (const { path, rows } of [clientTable, consumerTable, producerTable, sendTable]) {
      for (const { name, default: value, handling } of rows) {
        if (handling.by !== 'librdkafka') continue;
        for (const property of Object.keys(handling.translate(value, context))) {
          expect(handling.properties, `${path}.${name}`).toContain(property);
        }
      }
    }
  });
});

describe('a consumer', () => {
  it('has the defaults that make it behave as kafkajs’s', () => {
    expect(consumer().properties).toMatchObject({
      'group.id': 'g',
      'enable.auto.commit': 'false',
      'enable.auto.offset.store': 'false',
      'session.timeout.ms': '30000',
      'max.poll.interval.ms': '60000',
      'heartbeat.interval.ms': '3000',
      'fetch.wait.max.ms': '500',
      'fetch.min.bytes': '1',
      'fetch.max.bytes': '10485760',
      'message.max.bytes': '1000000',
      'max.partition.fetch.bytes': '1048576',
      'queued.max.messages.kbytes': '2048',
      'isolation.level': 'read_committed',
      'allow.auto.create.topics': 'true',
      'topic.metadata.refresh.interval.ms': '300000',
      'auto.offset.reset': 'error',
      'socket.nagle.disable': 'true',
    });
    expect(consumer().settings).toMatchObject({
      groupId: 'g',
      groupProtocol: 'classic',
      allowAutoTopicCreation: true,
    });
  });

  it('translates what it is given', () => {
    const config = {
      sessionTimeout: 90_000,
      heartbeatInterval: 5000,
      maxBytesPerPartition: 10,
      minBytes: 0,
      maxBytes: 500_000,
      maxWaitTimeInMs: 5000,
      metadataMaxAge: 10_000_000,
      allowAutoTopicCreation: false,
      readUncommitted: true,
      rackId: 'r1',
      maxInFlightRequests: 3,
    };
    expect(consumer(config).properties).toMatchObject({
      'session.timeout.ms': '90000',
      'max.poll.interval.ms': '90000',
      'heartbeat.interval.ms': '5000',
      'max.partition.fetch.bytes': '10',
      'fetch.min.bytes': '1',
      'fetch.max.bytes': '500000',
      'message.max.bytes': '500000',
      'fetch.wait.max.ms': '5000',
      'topic.metadata.refresh.interval.ms': '3600000',
      'allow.auto.create.topics': 'false',
      'isolation.level': 'read_uncommitted',
      'client.rack': 'r1',
      'max.in.flight.requests.per.connection': '3',
    });
  });

  it('keeps fetch.max.bytes above message.max.bytes, without which librdkafka does not start', () => {
    for (const maxBytes of [1, 999, 1000, 1_000_000, 2_000_000]) {
      const { properties } = consumer({ maxBytes });
      expect(Number(properties['fetch.max.bytes'])).toBeGreaterThanOrEqual(
        Number(properties['message.max.bytes']),
      );
      expect(Number(properties['message.max.bytes'])).toBeGreaterThanOrEqual(1000);
    }
  });

  it('leaves it to the core where to go on when an offset is out of range, but for replies', () => {
    expect(consumer().properties['auto.offset.reset']).toBe('error');
    const { properties } = consumerProperties(kafka, { groupId: 'g' }, { replies: true });
    expect(properties['auto.offset.reset']).toBe('latest');
  });

  it('merges the back-off of its handlers', () => {
    const restartOnFailure = vi.fn();
    const config = { ...kafka, retry: { retries: 8, initialRetryTime: 50 } };
    const { settings, properties } = consumerProperties(config, {
      groupId: 'g',
      retry: { retries: 2, restartOnFailure },
    });
    expect(settings.retry).toMatchObject({ retries: 2, initialRetryTime: 50, multiplier: 2 });
    expect(settings.restartOnFailure).toBe(restartOnFailure);
    expect(properties['retry.backoff.ms']).toBe('50');
  });

  it.each([
    [{ groupId: '' }],
    [{ groupId: undefined }],
    [{ sessionTimeout: 3000 }],
    [{ heartbeatInterval: 40_000 }],
  ])('refuses %j in kafkajs’s words', (config) => {
    const expected = errorOf(() => theirs.consumer({ groupId: 'g', ...config } as never)).message;
    expect(errorOf(() => consumer(config))).toMatchObject({
      name: 'KafkaJSNonRetriableError',
      message: expected,
    });
  });

  it('can use the group protocol of KIP-848', () => {
    const librdkafka = { 'group.protocol': 'consumer' };
    const { properties, settings } = consumer({ librdkafka });
    expect(settings.groupProtocol).toBe('consumer');
    expect(properties).not.toHaveProperty(['session.timeout.ms']);
    expect(properties).not.toHaveProperty(['heartbeat.interval.ms']);
    expect(errorOf(() => consumer({ librdkafka, sessionTimeout: 9000 })).message).toContain(
      'consumer.sessionTimeout',
    );
  });

  it('names what it does not know', () => {
    expect(errorOf(() => consumer({ foo: 1 } as never))).toMatchObject({ option: 'consumer.foo' });
    expect(errorOf(() => consumer({ partitionAssigners: [1] } as never)).message).toContain(
      'an array of functions',
    );
    expect(errorOf(() => consumer({ maxBytes: -1 })).message).toContain('got another number');
    expect(
      errorOf(() => consumer({ librdkafka: { 'fetch.message.max.bytes': 5 }, maxBytesPerPartition: 6 }))
        .message,
    ).toContain('contradicts consumer.maxBytesPerPartition');
  });
});

const timeout = (retry: object) => producer({ retry }).settings.deliveryTimeoutMs;

describe('a producer', () => {
  it('has the defaults that make it behave as kafkajs’s', () => {
    const { properties, settings } = producer();
    expect(properties).toMatchObject({
      'linger.ms': '0',
      acks: '-1',
      'message.max.bytes': '1000000000',
      'queue.buffering.max.messages': '0',
      partitioner: 'murmur2_random',
      'request.timeout.ms': '30000',
      'compression.codec': 'none',
      'message.send.max.retries': '5',
      'message.timeout.ms': '39300',
      'retry.backoff.ms': '300',
      'enable.idempotence': 'false',
      'allow.auto.create.topics': 'true',
    });
    expect(properties).not.toHaveProperty('batch.size');
    expect(properties).not.toHaveProperty(['max.in.flight.requests.per.connection']);
    expect(settings).toMatchObject({ deliveryTimeoutMs: 39_300, idempotent: false, acks: -1 });
  });

  it.each(Object.entries(CompressionTypes))('compresses with %s', (name, compression) => {
    expect(producer({}, { compression }).properties['compression.codec']).toBe(name.toLowerCase());
  });

  it('takes acks and timeout of a send', () => {
    const { properties, settings } = producer({}, { acks: 1, timeout: 60_000 });
    expect(properties).toMatchObject({
      acks: '1',
      'request.timeout.ms': '60000',
      'message.timeout.ms': '69300',
    });
    expect(settings.acks).toBe(1);
  });

  it('bounds a delivery by all the waits of its retries and a request', () => {
    expect(timeout({ retries: 0 })).toBe(30_000);
    expect(timeout({ retries: 10 })).toBe(158_100);
    expect(timeout({ retries: Number.MAX_SAFE_INTEGER })).toBe(2_147_483_647);
    const inherited = producerProperties({ ...kafka, retry: { retries: 0 }, requestTimeout: 40_000 });
    expect(inherited.settings.deliveryTimeoutMs).toBe(40_000);
    expect(inherited.properties['message.send.max.retries']).toBe('0');
  });

  it('can be given another delivery time', () => {
    const config = { retry: { retries: 3 }, librdkafka: { 'delivery.timeout.ms': 1000 } };
    expect(producer(config).settings.deliveryTimeoutMs).toBe(1000);
  });

  it('is idempotent when asked', () => {
    const { properties } = producer({ idempotent: true, maxInFlightRequests: 9 });
    expect(properties).toMatchObject({
      'enable.idempotence': 'true',
      'max.in.flight.requests.per.connection': '5',
      'message.send.max.retries': '2147483647',
    });
    expect(producer({ idempotent: true, retry: { retries: 3 } }).properties['message.send.max.retries']).toBe(
      '3',
    );
    expect(producer({ transactionalId: 't' })).toMatchObject({
      properties: {
        // What is sent outside of transactions is so only when asked, as in kafkajs.
        'enable.idempotence': 'false',
        'transactional.id': 't',
        'transaction.timeout.ms': '60000',
      },
      settings: { idempotent: false, transactionalId: 't', transactionTimeoutMs: 60_000 },
    });
  });

  it('lets nothing outlive a short transaction', () => {
    const { properties } = producer({ transactionalId: 't', transactionTimeout: 5000 });
    expect(properties).toMatchObject({
      'transaction.timeout.ms': '5000',
      'socket.timeout.ms': '5000',
      'message.timeout.ms': '5000',
    });
  });

  it('refuses what kafkajs refuses', () => {
    const config = { idempotent: true, retry: { retries: 0 } };
    const expected = errorOf(() => theirs.producer(config)).message;
    expect(errorOf(() => producer(config)).message).toBe(expected);
    expect(errorOf(() => producer({ idempotent: true }, { acks: 1 })).message).toContain('EoS guarantees');
    expect(errorOf(() => producer({}, { compression: 9 })).message).toContain('1 (GZIP)');
    expect(errorOf(() => producer({}, { topic: 't' })).message).toContain('send.topic is not supported');
    expect(errorOf(() => producer({ librdkafka: { retries: 3 }, retry: { retries: 4 } })).message).toContain(
      'producer.librdkafka["retries"] contradicts producer.retry',
    );
  });

  it('keeps a partitioner for the layer', () => {
    const createPartitioner = vi.fn();
    expect(producer({ createPartitioner }).settings.createPartitioner).toBe(createPartitioner);
  });
});

describe('run and subscribe', () => {
  it('have kafkajs’s defaults, but for the concurrency', () => {
    expect(runSettings()).toEqual({
      autoCommit: true,
      autoCommitIntervalMs: undefined,
      eachBatchAutoResolve: true,
      concurrency: { order: 'partition', max: 64, window: 10_000 },
    });
    const given = {
      autoCommit: false,
      autoCommitInterval: 100,
      autoCommitThreshold: null,
      partitionsConsumedConcurrently: 2,
    };
    expect(runSettings(given)).toMatchObject({
      autoCommit: false,
      autoCommitIntervalMs: 100,
      partitionsConsumedConcurrently: 2,
    });
    expect(errorOf(() => runSettings({ partitionsConsumedConcurrently: 0 })).message).toContain(
      '1 or more, got another number',
    );
  });

  it('are refused by run(), before anything is waited for', async () => {
    const ours = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: logLevel.NOTHING }).consumer({
      groupId: 'g',
    });
    for (const partitionsConsumedConcurrently of [0, -1, Number.NaN]) {
      const running = ours.run({ partitionsConsumedConcurrently, eachMessage: () => Promise.resolve() });
      await expect(running).rejects.toThrow('run.partitionsConsumedConcurrently: expected');
    }
  });

  it('take either form of a subscription', () => {
    expect(subscribeSettings({ topic: 't' })).toEqual({ topics: ['t'], fromBeginning: false });
    expect(subscribeSettings({ topics: ['t', /u/i], fromBeginning: true })).toEqual({
      topics: ['t', /u/i],
      fromBeginning: true,
    });
  });

  it.each([[{}], [{ topics: 't' }], [{ topics: [1] }], [{ topic: {} }]])(
    'refuse %j in kafkajs’s words',
    async (config) => {
      const rejected = theirs.consumer({ groupId: 'g' }).subscribe(config as never);
      const expected = await rejected.catch((e: Error) => e.message);
      expect(errorOf(() => subscribeSettings(config as never)).message).toBe(expected);
    },
  );
});
