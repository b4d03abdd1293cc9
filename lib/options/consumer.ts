import { KafkaJSInvalidOptionError, KafkaJSNonRetriableError } from '../kafkajs/errors/index.js';
import { librdkafkaStrategy } from '../kafkajs/group/partition-assigners.js';
import { resolveRetry, type ResolvedRetry } from '../kafkajs/retry/retry.js';
import type { ConsumerConfig, KafkaConfig, PartitionAssigner, RetryOptions } from '../kafkajs/types/index.js';
import { boolean, bytes, callbacks, integer, milliseconds, oneOf, rawProperties, string } from './checks.js';
import { isGiven } from './given.js';
import { clientSettings, clientTable, readClient, type ClientSettings } from './client.js';
import { retryTable } from './retry.js';
import { withRootCertificates } from './ssl.js';
import { layer, sets, setsAsIs, type Properties } from './table.js';
import { nested, readOptions } from './read.js';
import { optionTable } from './elsewhere.js';
import { type Given } from './given.js';
import { clamp, translate, type FixedProperty, type Translated } from './translate.js';

const DEFAULT_SESSION_TIMEOUT = 30_000;
const DEFAULT_HEARTBEAT_INTERVAL = 3000;
/** Default of `drainTimeout`, in milliseconds. */
export const DEFAULT_DRAIN_TIMEOUT = 30_000;
const METADATA_PROPERTY = 'topic.metadata.refresh.interval.ms';
const GROUP_TIMEOUTS = ['session.timeout.ms', 'heartbeat.interval.ms'];

/** `metadataMaxAge` of consumers and producers. */
export const metadataMaxAge = sets([METADATA_PROPERTY], (value: number) => ({
  [METADATA_PROPERTY]: String(clamp(value, 1, 3_600_000)),
}));

const IN_FLIGHT_PROPERTY = 'max.in.flight.requests.per.connection';

/** Properties of every consumer that are not set by an option of kafkajs. */
export const consumerFixed: readonly FixedProperty[] = [
  { property: 'enable.auto.commit', value: 'false', doc: 'The core commits offsets of handled messages.' },
  {
    property: 'enable.auto.offset.store',
    value: 'false',
    doc: 'An offset is stored when its message was handled, not when it was fetched.',
  },
  {
    property: 'queued.max.messages.kbytes',
    value: '2048',
    doc: 'How much is fetched ahead of each partition; librdkafka’s 64 MB are too many for hundreds of partitions.',
  },
  {
    property: 'queued.min.messages',
    value: '100000',
    doc: 'librdkafka goes on fetching while a partition has fewer messages than this queued.',
  },
  {
    property: 'fetch.queue.backoff.ms',
    value: '20',
    doc: 'How soon a partition is fetched again after its queue was full; librdkafka’s default of a second would stall a fast consumer with a small queue.',
  },
  { property: 'socket.nagle.disable', value: 'true', doc: 'Small requests are sent at once.' },
];

const STRATEGY = 'partition.assignment.strategy';

/** The property for a strategy of librdkafka's own; other assigners are added by the core. */
function strategy(assigners: readonly PartitionAssigner[] | undefined): Properties {
  if (assigners === undefined) return {};
  const option = 'consumer.partitionAssigners';
  if (assigners.length === 0) {
    const message = `Option ${option} is empty: leave it out for PartitionAssigners.roundRobin`;
    throw new KafkaJSInvalidOptionError(message, { option });
  }
  const name = librdkafkaStrategy(assigners);
  if (name !== null) return name === undefined ? {} : { [STRATEGY]: name };
  throw new KafkaJSInvalidOptionError(
    `Option ${option} cannot have PartitionAssigners.cooperativeSticky beside others: all members of a group rebalance in one way`,
    { option },
  );
}

/** `consumer`: the options of `kafka.consumer()`. */
export const consumerTable = optionTable({
  path: 'consumer',
  rows: [
    {
      name: 'groupId',
      check: string,
      defaultText: '`nestjs-group` in NestJS’s classes',
      handling: setsAsIs('group.id'),
      doc: 'The consumer group.',
    },
    {
      name: 'partitionAssigners',
      check: callbacks,
      defaultText: '`PartitionAssigners.roundRobin`',
      handling: sets([STRATEGY], strategy),
      doc: 'How the group’s leader assigns partitions: functions like kafkajs’s, or one of `PartitionAssigners`.',
    },
    {
      name: 'metadataMaxAge',
      check: milliseconds(),
      default: 300_000,
      handling: metadataMaxAge,
      doc: 'How often the metadata of topics and partitions is refreshed (at most 3600000).',
    },
    {
      name: 'sessionTimeout',
      check: milliseconds(1, 3_600_000),
      default: DEFAULT_SESSION_TIMEOUT,
      handling: setsAsIs('session.timeout.ms'),
      doc: 'The coordinator removes a member without a heartbeat for this long.',
    },
    {
      name: 'rebalanceTimeout',
      check: milliseconds(1, 86_400_000),
      default: 60_000,
      handling: sets(['max.poll.interval.ms'], (value: number, { own }) => ({
        'max.poll.interval.ms': String(
          Math.max(value, (own['sessionTimeout'] as number) ?? DEFAULT_SESSION_TIMEOUT),
        ),
      })),
      doc: 'How long the group waits for its members in a rebalance; at least sessionTimeout.',
    },
    {
      name: 'heartbeatInterval',
      check: milliseconds(1, 3_600_000),
      default: DEFAULT_HEARTBEAT_INTERVAL,
      handling: setsAsIs('heartbeat.interval.ms'),
      doc: 'How often heartbeats are sent; the core sends them also while handlers run.',
    },
    {
      name: 'maxBytesPerPartition',
      check: bytes(1, 1_000_000_000),
      default: 1_048_576,
      handling: setsAsIs('max.partition.fetch.bytes'),
      doc: 'Most bytes of a partition in one fetch response; a single larger message is returned all the same.',
    },
    {
      name: 'minBytes',
      check: bytes(0, 100_000_000),
      default: 1,
      handling: sets(['fetch.min.bytes'], (value: number) => ({
        'fetch.min.bytes': String(Math.max(value, 1)),
      })),
      doc: 'Least bytes that a broker collects before it answers a fetch.',
    },
    {
      name: 'maxBytes',
      check: bytes(1, 2_147_483_135),
      default: 10_485_760,
      handling: sets(
        ['fetch.max.bytes', 'message.max.bytes'],
        (value: number) => ({
          'fetch.max.bytes': String(Math.max(value, 1000)),
          // librdkafka refuses a fetch.max.bytes below message.max.bytes, which has no other meaning for a consumer.
          'message.max.bytes': String(clamp(value, 1000, 1_000_000)),
        }),
        () => ['fetch.max.bytes'],
      ),
      doc: 'Most bytes in one fetch response (at least 1000).',
    },
    {
      name: 'maxWaitTimeInMs',
      check: milliseconds(0, 300_000),
      default: 500,
      handling: setsAsIs('fetch.wait.max.ms'),
      doc: 'How long a broker waits for `minBytes` before it answers a fetch. kafkajs’s default is 5000; with `minBytes` 1 a broker that has a message answers at once with either.',
    },
    {
      name: 'retry',
      check: nested(retryTable),
      handling: layer,
      doc: 'Redelivery of messages whose handler has failed. Also limits how long joining the group and finding positions may fail: the sum of all waits and one request time-out, 39.3 s by default.',
    },
    {
      name: 'allowAutoTopicCreation',
      check: boolean,
      default: true,
      handling: setsAsIs('allow.auto.create.topics'),
      doc: 'Whether subscribing to a topic that does not exist creates it.',
    },
    {
      name: 'maxInFlightRequests',
      check: integer(1, 1_000_000),
      handling: setsAsIs(IN_FLIGHT_PROPERTY),
      doc: 'Requests that may wait for a response on one connection.',
    },
    {
      name: 'readUncommitted',
      check: boolean,
      default: false,
      handling: sets(['isolation.level'], (value: boolean) => ({
        'isolation.level': value ? 'read_uncommitted' : 'read_committed',
      })),
      doc: 'Whether messages of open and aborted transactions are read.',
    },
    {
      name: 'rackId',
      check: string,
      default: '',
      handling: sets(['client.rack'], (value: string): Properties => (value ? { 'client.rack': value } : {})),
      doc: 'The rack to fetch from, if brokers allow fetching from followers.',
    },
    {
      name: 'groupInstanceId',
      check: string,
      handling: setsAsIs('group.instance.id'),
      doc: 'Static membership: a member that rejoins with this id within sessionTimeout gets its partitions back without a rebalance. An extension of this package.',
    },
    {
      name: 'groupProtocol',
      check: oneOf('classic', 'consumer'),
      default: 'classic',
      handling: sets(['group.protocol'], (value: string): Properties =>
        value === 'consumer' ? { 'group.protocol': value } : {},
      ),
      doc: '`consumer`: the broker assigns the partitions (KIP-848, Kafka 4.0 or later). An extension of this package.',
    },
    {
      name: 'handlerTimeout',
      check: milliseconds(1),
      defaultText: 'off',
      handling: layer,
      doc: 'A handler that runs longer is reported. An extension of this package.',
    },
    {
      name: 'stallTimeout',
      check: milliseconds(1),
      defaultText: 'off',
      handling: layer,
      doc: 'A partition is reported as stalled after this time: it is assigned and not paused, messages wait, and none is handled. An extension of this package.',
    },
    {
      name: 'onStall',
      check: oneOf('report', 'restart', 'exit'),
      default: 'report',
      handling: layer,
      doc: 'What to do about a stall besides reporting it: `restart` restarts the consumer, as after a crash; `exit` ends the process with code 1. An extension of this package.',
    },
    {
      name: 'drainTimeout',
      check: milliseconds(0),
      default: DEFAULT_DRAIN_TIMEOUT,
      handling: layer,
      doc: 'How long closing waits for running handlers, and for the worker threads of run.workers. A revocation waits as long too, at most as rebalanceTimeout allows. An extension of this package.',
    },
    {
      name: 'librdkafka',
      check: rawProperties,
      handling: layer,
      doc: 'Raw librdkafka properties of the consumer.',
    },
  ],
});

/** What to do about a stall. */
export type OnStall = 'report' | 'restart' | 'exit';

/** A consumer's options that this package itself uses. */
export interface ConsumerSettings extends ClientSettings {
  readonly groupId: string;
  /** Undefined for the default, or for librdkafka's `partition.assignment.strategy`. */
  readonly partitionAssigners?: readonly PartitionAssigner[];
  /** Back-off of redeliveries: `consumer.retry` over `client.retry` over the defaults. */
  readonly retry: ResolvedRetry;
  readonly restartOnFailure?: RetryOptions['restartOnFailure'];
  readonly allowAutoTopicCreation: boolean;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly metadataMaxAgeMs: number;
  readonly handlerTimeoutMs?: number;
  /** Undefined if stalls are not detected. */
  readonly stallTimeoutMs: number | undefined;
  readonly onStall: OnStall;
  readonly drainTimeoutMs: number;
  /** `consumer`: the protocol of KIP-848, which has no client-side assigners. */
  readonly groupProtocol: 'classic' | 'consumer';
}

/** Checks `consumer`'s options. */
function readConsumer(config: unknown): Given {
  const consumer = readOptions(consumerTable, config);
  const session = (consumer['sessionTimeout'] as number | undefined) ?? DEFAULT_SESSION_TIMEOUT;
  const heartbeat = (consumer['heartbeatInterval'] as number | undefined) ?? DEFAULT_HEARTBEAT_INTERVAL;
  if (heartbeat >= session) {
    throw new KafkaJSNonRetriableError(
      `Consumer heartbeatInterval (${heartbeat}) must be lower than sessionTimeout (${session}). It is recommended to set heartbeatInterval to approximately a third of the sessionTimeout.`,
    );
  }
  if (isGiven(consumer['onStall']) && !isGiven(consumer['stallTimeout'])) {
    const option = 'consumer.onStall';
    const message = `Option ${option} does nothing without consumer.stallTimeout, which says from when on a consumer has stalled`;
    throw new KafkaJSInvalidOptionError(message, { option });
  }
  return consumer;
}

/**
 * A consumer's options, translated. A consumer of `replies` continues at the end if the log does not have its
 * position.
 */
export function consumerProperties(
  kafkaConfig: KafkaConfig,
  consumerConfig: ConsumerConfig,
  { replies = false }: { replies?: boolean } = {},
): Translated<ConsumerSettings> {
  const client = readClient(kafkaConfig);
  const base = clientSettings(client);
  const consumer = readConsumer(consumerConfig);
  if (!consumer['groupId']) {
    throw new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.');
  }
  // The property holds for all topics; so with `error` the core decides by each topic's subscription where to
  // continue.
  const reset = { property: 'auto.offset.reset', value: replies ? 'latest' : 'error', doc: '' };
  const properties = translate(
    { role: 'consumer', client, own: consumer, call: {} },
    [...consumerFixed, reset],
    [
      { table: clientTable, given: client },
      { table: consumerTable, given: consumer },
    ],
  );
  const groupProtocol = properties['group.protocol'] === 'consumer' ? 'consumer' : 'classic';
  if (groupProtocol === 'consumer') dropGroupTimeouts(properties, consumer);
  const retry = consumer['retry'] as (Given & RetryOptions) | undefined;
  const clientRetry = client['retry'] as (Given & RetryOptions) | undefined;
  const settings: ConsumerSettings = {
    ...base,
    groupId: consumer['groupId'] as string,
    partitionAssigners:
      STRATEGY in properties
        ? undefined
        : (consumer['partitionAssigners'] as PartitionAssigner[] | undefined),
    retry: resolveRetry(clientRetry, retry),
    restartOnFailure: retry?.restartOnFailure ?? clientRetry?.restartOnFailure,
    allowAutoTopicCreation: properties['allow.auto.create.topics'] === 'true',
    sessionTimeoutMs: (consumer['sessionTimeout'] as number | undefined) ?? DEFAULT_SESSION_TIMEOUT,
    heartbeatIntervalMs: (consumer['heartbeatInterval'] as number | undefined) ?? DEFAULT_HEARTBEAT_INTERVAL,
    metadataMaxAgeMs: Number(properties[METADATA_PROPERTY]),
    handlerTimeoutMs: consumer['handlerTimeout'] as number | undefined,
    stallTimeoutMs: consumer['stallTimeout'] as number | undefined,
    onStall: (consumer['onStall'] as OnStall | undefined) ?? 'report',
    drainTimeoutMs: (consumer['drainTimeout'] as number | undefined) ?? DEFAULT_DRAIN_TIMEOUT,
    groupProtocol,
  };
  return { properties: withRootCertificates(properties), settings };
}

/** In KIP-848's protocol the broker sets these times, and librdkafka refuses them. */
function dropGroupTimeouts(properties: Properties, consumer: Given): void {
  for (const name of ['sessionTimeout', 'heartbeatInterval', 'partitionAssigners']) {
    if (!isGiven(consumer[name])) continue;
    const option = `consumer.${name}`;
    const message = `Option ${option} contradicts consumer.groupProtocol: with the protocol "consumer" the broker decides it`;
    throw new KafkaJSInvalidOptionError(message, { option });
  }
  for (const property of GROUP_TIMEOUTS) delete properties[property];
}
