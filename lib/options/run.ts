import { KafkaJSInvalidOptionError, KafkaJSNonRetriableError } from '../kafkajs/errors/index.js';
import type {
  ConcurrencyOptions,
  ConsumerRunConfig,
  EachBatchHandler,
  EachMessageHandler,
  SubscribeConfig,
} from '../kafkajs/types/index.js';
import { anything, boolean, callback, integer, milliseconds, moduleFile } from './checks.js';
import { concurrencyTable, resolveConcurrency } from './concurrency.js';
import { isGiven, type Given } from './given.js';
import { layer } from './table.js';
import { optionTable } from './elsewhere.js';
import { nested, readOptions } from './read.js';

/** `run`: the options of `consumer.run()`. */
export const runTable = optionTable({
  path: 'run',
  rows: [
    {
      name: 'autoCommit',
      check: boolean,
      default: true,
      handling: layer,
      doc: 'Whether offsets of handled messages are committed automatically.',
    },
    {
      name: 'autoCommitInterval',
      check: milliseconds(),
      defaultText: 'after each drained batch',
      handling: layer,
      doc: 'Commits at least this often.',
    },
    {
      name: 'autoCommitThreshold',
      check: integer(),
      defaultText: 'none',
      handling: layer,
      doc: 'Commits after this many handled messages.',
    },
    {
      name: 'eachBatchAutoResolve',
      check: boolean,
      default: true,
      handling: layer,
      doc: 'Whether a batch counts as handled when eachBatch returns.',
    },
    {
      name: 'partitionsConsumedConcurrently',
      check: integer(1),
      defaultText: 'all assigned partitions (1 in kafkajs)',
      handling: layer,
      doc: 'How many partitions are handled at once.',
    },
    {
      name: 'concurrency',
      check: nested(concurrencyTable),
      defaultText: 'one message of a partition at a time',
      handling: layer,
      doc: 'Which messages of a partition are handled at once. An extension of this package.',
    },
    {
      name: 'workers',
      check: integer(1),
      defaultText: 'none: handlers run on the thread of the server',
      handling: layer,
      doc: 'Number of worker threads that run the handlers of a NestJS server, for handlers that compute. With `workerModule`. An extension of this package.',
    },
    {
      name: 'workerModule',
      check: moduleFile,
      defaultText: 'none',
      handling: layer,
      doc: 'With `workers`: the absolute path or the file URL of the module that each of them runs, which calls `serveKafkaWorker()`. An extension of this package.',
    },
    { name: 'eachMessage', check: callback, handling: layer, doc: 'Handles a message.' },
    { name: 'eachBatch', check: callback, handling: layer, doc: 'Handles a batch.' },
  ],
});

/** `subscribe`: the options of `consumer.subscribe()`. */
export const subscribeTable = optionTable({
  path: 'subscribe',
  rows: [
    {
      name: 'fromBeginning',
      check: boolean,
      default: false,
      handling: layer,
      doc: 'Where to begin in a partition without a committed offset: at its first message instead of its end. Partitions and topics that appear later are always read from their first message.',
    },
    { name: 'topics', check: anything, handling: layer, doc: 'Names and regular expressions of topics.' },
    { name: 'topic', check: anything, handling: layer, doc: 'Older form of `topics`, for a single one.' },
  ],
});

/** `consumer.run()`'s options with their defaults. */
export interface RunSettings {
  readonly autoCommit: boolean;
  readonly autoCommitIntervalMs?: number;
  readonly autoCommitThreshold?: number;
  readonly eachBatchAutoResolve: boolean;
  /** Undefined for all assigned partitions. */
  readonly partitionsConsumedConcurrently?: number;
  readonly concurrency: Required<ConcurrencyOptions>;
  /** Number of worker threads; undefined without. */
  readonly workers?: number;
  /** The module of each of them. */
  readonly workerModule?: string | URL;
  readonly eachMessage?: EachMessageHandler;
  readonly eachBatch?: EachBatchHandler;
}

/**
 * The error for an option that needs `autoCommit`: if messages finish in any order, only the core knows what may be
 * committed.
 */
export function uncommitted(option: string): KafkaJSInvalidOptionError {
  const message = `Option ${option} contradicts run.autoCommit: false: where messages finish in any order, no offset can be committed by hand. Leave autoCommit out; with kafka.ack "manual" a handler decides when a message counts`;
  return new KafkaJSInvalidOptionError(message, { option });
}

/** Checks `consumer.run()`'s options. */
export function runSettings(config?: ConsumerRunConfig | null): RunSettings {
  const given = readOptions(runTable, config);
  const { autoCommit, autoCommitInterval, eachBatchAutoResolve, concurrency, ...rest } = given;
  const order = resolveConcurrency(concurrency as Given | undefined);
  if (order.order !== 'partition') {
    if (autoCommit === false) throw uncommitted('run.concurrency');
    if (rest['eachBatch'] && !rest['eachMessage']) {
      const option = 'run.concurrency';
      const message = `Option ${option} cannot have the order "${order.order}" with eachBatch, whose messages are in order: use eachMessage, or leave it out`;
      throw new KafkaJSInvalidOptionError(message, { option });
    }
  }
  refuseHalfOfWorkers(rest);
  return {
    ...rest,
    autoCommit: autoCommit !== false,
    autoCommitIntervalMs: autoCommitInterval as number | undefined,
    eachBatchAutoResolve: eachBatchAutoResolve !== false,
    concurrency: order,
  };
}

/** The error for `workers` of a consumer that is no NestJS server's. */
export function workersWithoutServer(): KafkaJSInvalidOptionError {
  const option = 'run.workers';
  const message = `Option ${option} is for servers of NestJS, whose handlers a module can create once more: post messages to worker threads of your own in eachMessage, and await their answers there`;
  return new KafkaJSInvalidOptionError(message, { option });
}

/** @throws KafkaJSInvalidOptionError unless `workers` and `workerModule` are given both or not at all. */
export function refuseHalfOfWorkers({ workers, workerModule }: Given): void {
  if ((workers === undefined) === (workerModule === undefined)) return;
  const [option, other] = workers === undefined ? ['workerModule', 'workers'] : ['workers', 'workerModule'];
  throw new KafkaJSInvalidOptionError(
    `Option run.${option} needs run.${other}: ${workers === undefined ? 'how many worker threads run that module' : 'the module that each worker thread runs'}`,
    { option: `run.${option}` },
  );
}

/** `consumer.subscribe()`'s options with their defaults. */
export interface SubscribeSettings {
  readonly topics: readonly (string | RegExp)[];
  readonly fromBeginning: boolean;
}

/** Checks `consumer.subscribe()`'s options, with kafkajs's texts. */
export function subscribeSettings(config: SubscribeConfig): SubscribeSettings {
  const { topic, topics, fromBeginning } = readOptions(subscribeTable, config);
  return { topics: subscribedTopics(topic, topics), fromBeginning: fromBeginning === true };
}

/** The topics of a subscription, checked with kafkajs's texts. */
export function subscribedTopics(topic: unknown, topics: unknown): readonly (string | RegExp)[] {
  if (!topic && !topics) throw new KafkaJSNonRetriableError('Missing required argument "topics"');
  if (isGiven(topics) && !Array.isArray(topics)) {
    throw new KafkaJSNonRetriableError('Argument "topics" must be an array');
  }
  const wanted: readonly unknown[] = (topics as unknown[] | null | undefined) ?? [topic];
  for (const item of wanted) {
    if (typeof item === 'string' || item instanceof RegExp) continue;
    throw new KafkaJSNonRetriableError(
      `Invalid topic ${String(item)} (${typeof item}), the topic name has to be a String or a RegExp`,
    );
  }
  return wanted as (string | RegExp)[];
}
