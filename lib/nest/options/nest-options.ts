import type { Deserializer, Serializer } from '@nestjs/microservices';
import { KafkaJSInvalidOptionError } from '../../kafkajs/errors/index.js';
import type {
  ConsumerConfig,
  ConsumerRunConfig,
  KafkaConfig,
  ProducerConfig,
} from '../../kafkajs/types/index.js';
import { anything, boolean, integer, milliseconds, object, oneOf, string } from '../../options/checks.js';
import { isGiven, withoutNulls, type Given } from '../../options/given.js';
import { clientSettings, clientTable, readClient } from '../../options/client.js';
import { consumerProperties, consumerTable } from '../../options/consumer.js';
import { topicsTable, type TopicsOptions } from './topics.js';
import { deadLetterTable, type DeadLetterOptions } from './dead-letter.js';
import { transactions, type TransactionsOptions } from './transactions.js';
import {
  producerProperties,
  producerTable,
  readSend,
  sendTable,
  type SendOptions,
} from '../../options/producer.js';
import { refuseHalfOfWorkers, runTable, subscribeTable } from '../../options/run.js';
import { layer, refused, type Check, type OptionTable } from '../../options/table.js';
import { nested, readOptions } from '../../options/read.js';
import { optionTable } from '../../options/elsewhere.js';
import { withoutUnknown, type KnownOptions } from '../../options/unknown.js';

/** Which of NestJS's two classes the options are for. */
export type NestRole = 'client' | 'server';

/** NestJS's `KafkaOptions['options']`, with this package's extensions. */
export interface NestKafkaOptions {
  /** Appended to clientId and groupId. Default: `-server`, `-client`. */
  postfixId?: string;
  /** The connection: options of `new Kafka()`. */
  client?: Partial<KafkaConfig>;
  /** The consumer: options of `kafka.consumer()`. */
  consumer?: Partial<ConsumerConfig>;
  /** How messages are consumed: options of `consumer.run()`. */
  run?: Omit<ConsumerRunConfig, 'eachBatch' | 'eachMessage'>;
  /** Where a group begins in a partition without a committed offset. */
  subscribe?: {
    /**
     * Where to begin in a partition without a committed offset: at its first message instead of its end. Partitions and topics
     * that appear later are always read from their first message. Default: `false`.
     */
    fromBeginning?: boolean;
  };
  /** The producer: options of `kafka.producer()`. */
  producer?: ProducerConfig;
  /** How all messages are sent: options of `producer.send()`. */
  send?: SendOptions;
  /** Serializes outgoing messages, instead of NestJS’s serializer. */
  serializer?: Serializer;
  /** Deserializes incoming messages, instead of NestJS’s deserializer. */
  deserializer?: Deserializer;
  /** How bytes are decoded. */
  parser?: {
    /** Whether every value stays a Buffer instead of becoming text or JSON. Default: `false`. */
    keepBinary?: boolean;
  };
  /**
   * Server: what handlers of this server alone name as their transport, `@EventPattern('orders', EUROPE)`, where an
   * application has several. An extension. Default: `Transport.KAFKA`.
   */
  transportId?: symbol;
  /** Whether topics are created, or compared with their desired settings, at the start. An extension. Default: off. */
  topics?: TopicsOptions;
  /** Client: whether it only sends, without a consumer. Default: `false`. */
  producerOnlyMode?: boolean;
  /**
   * Client: a request without a reply for this long fails with `KafkaReplyTimeoutError`. An extension. A number of
   * milliseconds, 1 or more. Default: off.
   */
  replyTimeout?: number;
  /** Client: how many requests may wait for their replies at once. An extension. A number, 1 or more. Default: unlimited. */
  maxPendingRequests?: number;
  /**
   * Client: with `group` it joins a group that assigns the reply topics’ partitions to its members; with `assigned` it reads
   * one partition of each reply topic without a group, which other clients may share. An extension. Default: `"group"`.
   */
  replies?: 'group' | 'assigned';
  /** Server: retries and a dead-letter topic for messages that cannot be handled. An extension. Default: off. */
  deadLetter?: DeadLetterOptions;
  /**
   * Server: transactions for handlers with `kafka: { transactional: true }`: the messages that they send and the offsets of
   * their messages are committed together, or not at all. An extension. Default: off.
   */
  transactions?: TransactionsOptions;
}

/** `parser`. */
export const parserTable: OptionTable = {
  path: 'parser',
  rows: [
    {
      name: 'keepBinary',
      check: boolean,
      default: false,
      handling: layer,
      doc: 'Whether every value stays a Buffer instead of becoming text or JSON.',
    },
  ],
};

/** Has to be a symbol: numbers are NestJS's own transports. */
const symbol: Check = {
  text: 'a symbol',
  parse: (value) => (typeof value === 'symbol' ? value : undefined),
};

/** NestJS's options object. */
export const nestTable = optionTable({
  path: 'options',
  rows: [
    {
      name: 'postfixId',
      check: string,
      defaultText: '`-server`, `-client`',
      handling: layer,
      doc: 'Appended to clientId and groupId.',
    },
    { name: 'client', check: object, handling: layer, doc: 'The connection: options of `new Kafka()`.' },
    { name: 'consumer', check: object, handling: layer, doc: 'The consumer: options of `kafka.consumer()`.' },
    {
      name: 'run',
      check: object,
      handling: layer,
      doc: 'How messages are consumed: options of `consumer.run()`.',
    },
    {
      name: 'subscribe',
      check: object,
      handling: layer,
      doc: 'Where a group begins in a partition without a committed offset.',
    },
    { name: 'producer', check: object, handling: layer, doc: 'The producer: options of `kafka.producer()`.' },
    {
      name: 'send',
      check: object,
      handling: layer,
      doc: 'How all messages are sent: options of `producer.send()`.',
    },
    {
      name: 'serializer',
      check: anything,
      handling: layer,
      doc: 'Serializes outgoing messages, instead of NestJS’s serializer.',
    },
    {
      name: 'deserializer',
      check: anything,
      handling: layer,
      doc: 'Deserializes incoming messages, instead of NestJS’s deserializer.',
    },
    { name: 'parser', check: nested(parserTable), handling: layer, doc: 'How bytes are decoded.' },
    {
      name: 'transportId',
      check: symbol,
      defaultText: '`Transport.KAFKA`',
      handling: layer,
      doc: "Server: what handlers of this server alone name as their transport, `@EventPattern('orders', EUROPE)`, where an application has several. An extension.",
    },
    {
      name: 'topics',
      check: nested(topicsTable),
      defaultText: 'off',
      handling: layer,
      doc: 'Whether topics are created, or compared with their desired settings, at the start. An extension.',
    },
    {
      name: 'producerOnlyMode',
      check: boolean,
      default: false,
      handling: layer,
      doc: 'Client: whether it only sends, without a consumer.',
    },
    {
      name: 'replyTimeout',
      check: milliseconds(1),
      defaultText: 'off',
      handling: layer,
      doc: 'Client: a request without a reply for this long fails with `KafkaReplyTimeoutError`. An extension.',
    },
    {
      name: 'maxPendingRequests',
      check: integer(1),
      defaultText: 'unlimited',
      handling: layer,
      doc: 'Client: how many requests may wait for their replies at once. An extension.',
    },
    {
      name: 'replies',
      check: oneOf('group', 'assigned'),
      default: 'group',
      handling: layer,
      doc: 'Client: with `group` it joins a group that assigns the reply topics’ partitions to its members; with `assigned` it reads one partition of each reply topic without a group, which other clients may share. An extension.',
    },
    {
      name: 'deadLetter',
      check: nested(deadLetterTable),
      defaultText: 'off',
      handling: layer,
      doc: 'Server: retries and a dead-letter topic for messages that cannot be handled. An extension.',
    },
    {
      name: 'transactions',
      check: transactions,
      defaultText: 'off',
      handling: layer,
      doc: 'Server: transactions for handlers with `kafka: { transactional: true }`: the messages that they send and the offsets of their messages are committed together, or not at all. An extension.',
    },
  ],
});

const HANDLERS = refused('NestJS’s own handler is called', 'use @MessagePattern and @EventPattern');
const TOPICS = refused(
  'topics come from the patterns',
  'use @MessagePattern, @EventPattern or subscribeToResponseOf()',
);

const nestRunTable = refusing(runTable, { eachMessage: HANDLERS, eachBatch: HANDLERS });
const nestSubscribeTable = refusing(subscribeTable, { topic: TOPICS, topics: TOPICS });

function refusing(table: OptionTable, refusals: Record<string, typeof HANDLERS>): OptionTable {
  const rows = table.rows.map((row) => ({ ...row, handling: refusals[row.name] ?? row.handling }));
  return { ...table, rows };
}

/** The tables of the objects in NestJS's options. */
const SECTIONS: Readonly<Record<string, OptionTable>> = {
  client: clientTable,
  consumer: consumerTable,
  run: nestRunTable,
  subscribe: nestSubscribeTable,
  producer: producerTable,
  send: sendTable,
};

/** NestJS's options without those that neither NestJS nor kafkajs nor this package knows, and the list of those. */
export const knownNestOptions = (options: unknown): KnownOptions =>
  withoutUnknown(nestTable, options, SECTIONS);

/** The application's own objects: they are used as they are. */
const OWN = ['serializer', 'deserializer'];

/**
 * NestJS's options as its classes use them, once {@link validateNestOptions} has checked them: null counts as not given, and what
 * no other table reads later has its checked form, where a number that was given as text is one.
 */
export function readNestOptions(role: NestRole, options: NestKafkaOptions): NestKafkaOptions {
  const { replyTimeout, maxPendingRequests, topics } = validateNestOptions(role, options);
  return {
    ...withoutNulls(options, OWN),
    ...(replyTimeout !== undefined && { replyTimeout: replyTimeout as number }),
    ...(maxPendingRequests !== undefined && { maxPendingRequests: maxPendingRequests as number }),
    ...(topics !== undefined && { topics: topics as TopicsOptions }),
  };
}

/**
 * Checks all of NestJS's options at construction, so that none is silently ignored later; returns those that are given.
 *
 * Brokers and group id may be missing: NestJS's classes have defaults for them.
 */
export function validateNestOptions(role: NestRole, options: unknown): Given {
  const given = readOptions(nestTable, options);
  const client = readClient(given['client']);
  const kafka = {
    ...(given['client'] as object),
    brokers: client['brokers'] ?? ['localhost:9092'],
  } as KafkaConfig;
  clientSettings({ ...client, brokers: kafka.brokers });
  const consumer = given['consumer'] as Partial<ConsumerConfig> | undefined;
  const group = consumerProperties(kafka, { ...consumer, groupId: consumer?.groupId || 'nestjs-group' });
  const send = readSend(given['send']);
  producerProperties(kafka, given['producer'] as ProducerConfig | undefined, send);
  refuseHalfOfWorkers(readOptions(nestRunTable, given['run']));
  readOptions(nestSubscribeTable, given['subscribe']);
  for (const name of ['deadLetter', 'transportId', 'transactions'] as const) {
    if (role === 'client' && isGiven(given[name])) throw wrongRole(name, 'the server');
  }
  for (const name of ['replyTimeout', 'maxPendingRequests', 'replies'] as const) {
    if (role === 'server' && isGiven(given[name])) throw wrongRole(name, 'the client');
  }
  if (role === 'client' && isGiven(consumer?.partitionAssigners)) refuseAssigners();
  if (role === 'client' && given['replies'] !== 'assigned' && group.settings.groupProtocol === 'consumer') {
    const option = 'consumer.groupProtocol';
    throw new KafkaJSInvalidOptionError(
      `Option ${option} (librdkafka's group.protocol) cannot be "consumer" here: the group's members assign the reply partitions themselves. Leave it out, or set options.replies to "assigned"`,
      { option },
    );
  }
  return given;
}

/** Refuses `partitionAssigners` of a client: reply partitions need the client's own assigner. */
function refuseAssigners(): never {
  const option = 'consumer.partitionAssigners';
  throw new KafkaJSInvalidOptionError(
    `Option ${option} is not supported in a client: its group assigns the reply partitions with NestJS's assigner. Leave it out`,
    { option },
  );
}

function wrongRole(name: string, place: string): KafkaJSInvalidOptionError {
  const option = `options.${name}`;
  return new KafkaJSInvalidOptionError(`Option ${option} has no effect here: it belongs to ${place}`, {
    option,
  });
}
