import { KafkaJSNonRetriableError } from '../kafkajs/errors/index.js';
import { resolveRetry, type ResolvedRetry } from '../kafkajs/retry/retry.js';
import { CompressionTypes } from '../kafkajs/types/index.js';
import type {
  ICustomPartitioner,
  KafkaConfig,
  ProducerConfig,
  RetryOptions,
} from '../kafkajs/types/index.js';
import {
  anything,
  boolean,
  callback,
  integer,
  milliseconds,
  numberOf,
  rawProperties,
  string,
} from './checks.js';
import { clientSettings, clientTable, readClient, requestTimeout, type ClientSettings } from './client.js';
import { metadataMaxAge } from './consumer.js';
import {
  BACKOFF_PROPERTIES,
  backoffProperties,
  deliveryTimeout,
  explicitBackoff,
  INT32_MAX,
  retryTable,
} from './retry.js';
import { withRootCertificates } from './ssl.js';
import { layer, refused, sets, setsAsIs, type Context, type Properties } from './table.js';
import { nested, readOptions } from './read.js';
import { optionTable } from './elsewhere.js';
import { type Given } from './given.js';
import { clamp, translate, type FixedProperty, type Translated } from './translate.js';

const DEFAULT_SEND_TIMEOUT = 30_000;
const DEFAULT_TRANSACTION_TIMEOUT = 60_000;
const MAX_IDEMPOTENT_IN_FLIGHT = 5;
const IN_FLIGHT_PROPERTY = 'max.in.flight.requests.per.connection';
const RETRIES_PROPERTY = 'message.send.max.retries';
const DELIVERY_PROPERTY = 'message.timeout.ms';

/** Properties of every producer that are not set by an option of kafkajs. */
export const producerFixed: readonly FixedProperty[] = [
  {
    property: 'linger.ms',
    value: '0',
    doc: 'A message is sent at once; this package batches messages while others are in flight.',
  },
  {
    property: 'partitioner',
    value: 'murmur2_random',
    doc: 'Chooses the same partition for a key as the Java client and kafkajs’s default partitioner. With another partitioner, or with sticky.partitioning.linger.ms, this package does not group requests without a key by partition.',
  },
  {
    property: 'message.max.bytes',
    value: '1000000000',
    doc: 'Only the broker limits a message’s size, as in kafkajs. Batches still end at batch.size, 1 MB.',
  },
  {
    property: 'queue.buffering.max.messages',
    value: '0',
    doc: 'No limit by count; the bytes below are the limit.',
  },
  {
    property: 'queue.buffering.max.kbytes',
    value: '1048576',
    doc: 'One gigabyte may wait to be sent; beyond that `send()` fails with a retriable error.',
  },
  {
    property: 'topic.metadata.refresh.fast.interval.ms',
    value: '100',
    doc: 'How soon a partition’s new leader is looked for.',
  },
  {
    property: 'topic.metadata.propagation.max.ms',
    value: '10000',
    doc: 'How long a topic may take to appear before its messages fail; kafkajs gives up after about that time.',
  },
  { property: 'socket.nagle.disable', value: 'true', doc: 'Small requests are sent at once.' },
];

const isIdempotent = ({ own }: Context): boolean =>
  own['idempotent'] === true || Boolean(own['transactionalId']);
const transactionTimeout = (own: Given): number | undefined =>
  own['transactionalId']
    ? ((own['transactionTimeout'] as number | undefined) ?? DEFAULT_TRANSACTION_TIMEOUT)
    : undefined;
const sendTimeout = (call: Given): number => (call['timeout'] as number | undefined) ?? DEFAULT_SEND_TIMEOUT;

/** The delivery time-out of messages; in a transaction at most the transaction's. */
function messageTimeout({ client, own, call }: Context): Properties {
  const request = Math.max(requestTimeout(client), sendTimeout(call));
  const budget = deliveryTimeout([client['retry'] as Given, own['retry'] as Given], request);
  return { [DELIVERY_PROPERTY]: String(Math.min(budget, transactionTimeout(own) ?? INT32_MAX)) };
}

function retryProperties(_value: unknown, context: Context): Properties {
  const retry = { ...(context.client['retry'] as Given), ...(context.own['retry'] as Given) };
  const given = retry['retries'] as number | undefined;
  // An idempotent producer may retry as often as the time allows, because retries cause no duplicates.
  const retries = given ?? (isIdempotent(context) ? INT32_MAX : resolveRetry().retries);
  return {
    ...backoffProperties(retry, 'producer'),
    [RETRIES_PROPERTY]: String(clamp(Math.min(retries, INT32_MAX), 0, INT32_MAX)),
    ...messageTimeout(context),
  };
}

/** `producer`: the options of `kafka.producer()`. */
export const producerTable = optionTable({
  path: 'producer',
  rows: [
    {
      name: 'createPartitioner',
      check: callback,
      defaultText: '`Partitioners.DefaultPartitioner`',
      handling: layer,
      doc: 'Creates the partitioner. The default one runs in the core; replies whose request names no partition always use it.',
    },
    {
      name: 'retry',
      check: nested(retryTable),
      handling: sets(
        [...BACKOFF_PROPERTIES, RETRIES_PROPERTY, DELIVERY_PROPERTY],
        retryProperties,
        (retry: Given) => explicitBackoff(retry),
      ),
      doc: 'Retries of a message. It fails at the latest after all their waits and one request time-out: 39.3 s with the defaults.',
    },
    {
      name: 'metadataMaxAge',
      check: milliseconds(),
      default: 300_000,
      handling: metadataMaxAge,
      doc: 'How often the metadata of topics and partitions is refreshed (at most 3600000).',
    },
    {
      name: 'allowAutoTopicCreation',
      check: boolean,
      default: true,
      handling: setsAsIs('allow.auto.create.topics'),
      doc: 'Whether sending to a topic that does not exist creates it.',
    },
    {
      name: 'idempotent',
      check: boolean,
      default: false,
      handling: sets(['enable.idempotence'], (_value, context) => ({
        'enable.idempotence': String(context.own['idempotent'] === true),
      })),
      doc: 'Whether a retried message is written only once and in order.',
    },
    {
      name: 'transactionalId',
      check: string,
      handling: setsAsIs('transactional.id'),
      doc: 'The transactional id, for `transaction()`. Messages sent outside of a transaction belong to none.',
    },
    {
      name: 'transactionTimeout',
      check: milliseconds(1000, INT32_MAX),
      default: DEFAULT_TRANSACTION_TIMEOUT,
      handling: sets(
        ['transaction.timeout.ms', 'socket.timeout.ms'],
        (_value, { own, client }): Properties => {
          const timeout = transactionTimeout(own);
          if (timeout === undefined) return {};
          // librdkafka requires a request time-out below the transaction's.
          const socket = clamp(requestTimeout(client), 10, timeout);
          return { 'transaction.timeout.ms': String(timeout), 'socket.timeout.ms': String(socket) };
        },
        () => ['transaction.timeout.ms'],
      ),
      doc: 'After this time the broker aborts a transaction that was not ended.',
    },
    {
      name: 'maxInFlightRequests',
      check: integer(1, 1_000_000),
      handling: sets([IN_FLIGHT_PROPERTY], (value: number | undefined, context): Properties => {
        if (value === undefined) return {};
        return {
          [IN_FLIGHT_PROPERTY]: String(
            isIdempotent(context) ? Math.min(value, MAX_IDEMPOTENT_IN_FLIGHT) : value,
          ),
        };
      }),
      doc: 'Requests that may wait for a response on one connection; an idempotent producer has at most 5.',
    },
    {
      name: 'librdkafka',
      check: rawProperties,
      handling: layer,
      doc: 'Raw librdkafka properties of the producer.',
    },
  ],
});

const CODECS: ReadonlyMap<number, string> = new Map([
  [CompressionTypes.None, 'none'],
  [CompressionTypes.GZIP, 'gzip'],
  [CompressionTypes.Snappy, 'snappy'],
  [CompressionTypes.LZ4, 'lz4'],
  [CompressionTypes.ZSTD, 'zstd'],
]);

/** librdkafka's name of a compression. */
export const compressionCodec = (compression: CompressionTypes | undefined): string | undefined =>
  compression === undefined ? undefined : CODECS.get(compression);

const perCall = refused('it differs from call to call', 'give it to send() or emit()');

/** `send`: what `producer.send()` takes besides topic and messages. */
export const sendTable = optionTable({
  path: 'send',
  rows: [
    {
      name: 'acks',
      check: integer(-1, 1000),
      default: -1,
      handling: setsAsIs('acks'),
      doc: 'Acknowledgements to wait for: -1 all in-sync replicas, 1 the leader, 0 none.',
    },
    {
      name: 'timeout',
      check: milliseconds(1),
      default: DEFAULT_SEND_TIMEOUT,
      handling: sets(['request.timeout.ms'], (_value, { call }) => ({
        'request.timeout.ms': String(clamp(sendTimeout(call), 1, 900_000)),
      })),
      doc: 'How long a message may take to be acknowledged, besides the waits between its retries; after that it fails and is not retried. Each `send()` may have its own; a message queued after others of its partition with more time waits for those. Has no effect in a transaction, or with a raw `message.timeout.ms`. It is also how long leaders wait for their replicas: 30 s, or the value in NestJS’s `send` (at most 900000).',
    },
    {
      name: 'compression',
      check: numberOf(CompressionTypes),
      default: CompressionTypes.None,
      handling: sets(['compression.codec'], (value: number) => ({
        'compression.codec': CODECS.get(value) as string,
      })),
      doc: 'Compression of batches; every codec is built in.',
    },
    { name: 'topic', check: anything, handling: perCall, doc: 'The topic.' },
    { name: 'messages', check: anything, handling: perCall, doc: 'The messages.' },
  ],
});

/** The options of `send()` that librdkafka has per client: one handle is kept for each combination. */
export interface SendOptions {
  /** Acknowledgements to wait for: -1 all in-sync replicas, 1 the leader, 0 none. A number, -1 to 1000. Default: `-1`. */
  acks?: number;
  /**
   * How long a message may take to be acknowledged, besides the waits between its retries; after that it fails and is not
   * retried. Each `send()` may have its own; a message queued after others of its partition with more time waits for those.
   * Has no effect in a transaction, or with a raw `message.timeout.ms`. It is also how long leaders wait for their replicas:
   * 30 s, or the value in NestJS’s `send` (at most 900000). A number of milliseconds, 1 or more. Default: `30000`.
   */
  timeout?: number;
  /** Compression of batches; every codec is built in. Default: `0`. */
  compression?: CompressionTypes;
}

/** A producer's options that this package itself uses. */
export interface ProducerSettings extends ClientSettings {
  readonly createPartitioner?: ICustomPartitioner;
  /** `producer.retry` over `client.retry` over the defaults. */
  readonly retry: ResolvedRetry;
  readonly idempotent: boolean;
  /** Whether a finite number of retries was given. */
  readonly limitsRetries: boolean;
  readonly transactionalId?: string;
  readonly transactionTimeoutMs: number;
  readonly allowAutoTopicCreation: boolean;
  readonly metadataMaxAgeMs: number;
  /** How long a message may take until it is delivered or fails (0: no limit). */
  readonly deliveryTimeoutMs: number;
  /** The same for messages of a send with this `timeout`; returns 0 for {@link deliveryTimeoutMs}. */
  readonly sendLimit: (timeout: number) => number;
  readonly acks: number;
}

/** kafkajs's check of an idempotent producer's retries. */
function checkEosRetries(retries: number | undefined): void {
  if (retries === undefined || retries >= 1) return;
  throw new KafkaJSNonRetriableError(
    'Idempotent producer must allow retries to protect against transient errors',
  );
}

/** kafkajs's check of an idempotent producer's `acks`. */
export function checkEosAcks(acks = -1): void {
  if (acks === -1) return;
  throw new KafkaJSNonRetriableError(
    `Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees`,
  );
}

/** Checks `send`'s options. */
export const readSend = (config: unknown): Given => readOptions(sendTable, config);

/** A producer's options for one set of `send()`'s options: each handle serves one combination of them. */
export type ProducerPropertiesOf = (sendOptions?: SendOptions) => Translated<ProducerSettings>;

/** Reads a producer's options once; the returned function translates them for each handle. */
export function producerOptions(
  kafkaConfig: KafkaConfig,
  producerConfig: ProducerConfig = {},
): ProducerPropertiesOf {
  const client = readClient(kafkaConfig);
  const base = clientSettings(client);
  const producer = readOptions(producerTable, producerConfig);
  return (sendOptions = {}) => translated(client, base, producer, readSend(sendOptions));
}

/** A producer's options, translated for the handle of these `send()` options. */
export function producerProperties(
  kafkaConfig: KafkaConfig,
  producerConfig?: ProducerConfig,
  sendOptions?: SendOptions,
): Translated<ProducerSettings> {
  return producerOptions(kafkaConfig, producerConfig)(sendOptions);
}

function translated(
  client: Given,
  base: ClientSettings,
  producer: Given,
  send: Given,
): Translated<ProducerSettings> {
  const context: Context = { role: 'producer', client, own: producer, call: send };
  const { retries } = { ...(client['retry'] as Given), ...(producer['retry'] as Given) } as RetryOptions;
  if (producer['idempotent'] === true) {
    checkEosAcks(send['acks'] as number | undefined);
    checkEosRetries(retries);
  }
  const properties = translate(context, producerFixed, [
    { table: clientTable, given: client },
    { table: producerTable, given: producer },
    { table: sendTable, given: send },
  ]);
  const retryOptions = [client['retry'] as Given, producer['retry'] as Given];
  const isRaw = properties[DELIVERY_PROPERTY] !== messageTimeout(context)[DELIVERY_PROPERTY];
  const sendLimit = (timeout: number): number => (isRaw ? 0 : deliveryTimeout(retryOptions, timeout));
  const settings: ProducerSettings = {
    ...base,
    createPartitioner: producer['createPartitioner'] as ICustomPartitioner | undefined,
    retry: resolveRetry(client['retry'] as Given | undefined, producer['retry'] as Given | undefined),
    idempotent: properties['enable.idempotence'] === 'true',
    limitsRetries: retries !== undefined && retries < Number.MAX_SAFE_INTEGER,
    transactionalId: properties['transactional.id'],
    transactionTimeoutMs: Number(properties['transaction.timeout.ms'] ?? DEFAULT_TRANSACTION_TIMEOUT),
    allowAutoTopicCreation: properties['allow.auto.create.topics'] === 'true',
    metadataMaxAgeMs: Number(properties['topic.metadata.refresh.interval.ms']),
    deliveryTimeoutMs: Number(properties[DELIVERY_PROPERTY]),
    sendLimit,
    acks: Number(properties['acks'] === 'all' ? -1 : properties['acks']),
  };
  return { properties: withRootCertificates(properties), settings };
}
