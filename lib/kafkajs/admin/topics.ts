import type { NativeOutcome } from '../../native/index.js';
import { codeOf, errorCode } from '../errors/codes.js';
import {
  KafkaJSAggregateError,
  KafkaJSCreateTopicError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaJSTimeout,
} from '../errors/index.js';
import type { Admin, ITopicConfig, ITopicMetadata } from '../types/index.js';
import {
  ask,
  asking,
  changing,
  errorOfCode,
  retrying,
  throwFirst,
  typeOf,
  type AdminContext,
} from './context.js';

/** Pause between two looks at topics whose leaders are being elected, as in kafkajs. */
const LEADER_PAUSE = 100;
/** kafkajs's default for how long electing leaders may take, in milliseconds. */
const LEADER_TIMEOUT = 10_000;

const TOPIC_ALREADY_EXISTS = codeOf('TOPIC_ALREADY_EXISTS');
const INVALID_REQUEST = codeOf('INVALID_REQUEST');
const INVALID_TOPIC = codeOf('INVALID_TOPIC_EXCEPTION');
const INVALID_PARTITIONS = codeOf('INVALID_PARTITIONS');
const INVALID_REPLICATION_FACTOR = codeOf('INVALID_REPLICATION_FACTOR');
/** What librdkafka takes at most (`RD_KAFKAP_PARTITIONS_MAX`, `RD_KAFKAP_BROKERS_MAX`). */
const MOST_PARTITIONS = 100_000;
const MOST_REPLICAS = 10_000;

type Options<M extends keyof Admin> = Admin[M] extends (options: infer O) => unknown ? O : never;

/** A topic's name, with kafkajs's check. */
export function checkTopic(topic: unknown): asserts topic is string {
  if (!topic || typeof topic !== 'string') {
    throw new KafkaJSNonRetriableError(`Invalid topic ${topic as string}`);
  }
}

/** Whether librdkafka cannot send this name; what else is wrong with names the broker says. */
const cannotBeSent = (topic: string): boolean => topic.includes('\0');

/** Fetches metadata of topics, of all without names; throws the first error of a topic or partition. */
async function topicMetadata(context: AdminContext, topics?: readonly string[]): Promise<ITopicMetadata[]> {
  const found = await topicsAsTheyAre(context, topics);
  const failed = found
    .flatMap(({ partitions }) => partitions)
    .find(({ partitionErrorCode }) => partitionErrorCode !== 0);
  if (failed) throw errorOfCode(failed.partitionErrorCode);
  return found;
}

/** The same with errors of partitions in what is found; throws the first error of a topic. */
export async function topicsAsTheyAre(
  context: AdminContext,
  topics?: readonly string[],
): Promise<ITopicMetadata[]> {
  const names = topics && topics.length > 0 ? [...topics] : null;
  const illegal = names?.find(cannotBeSent);
  if (illegal !== undefined) {
    throw errorOfCode(INVALID_TOPIC, `${JSON.stringify(illegal)} is no legal topic name`);
  }
  const metadata = await ask(context, (native) => native.metadata(names, asking(context)));
  const failed = metadata.topics.find(({ code }) => code !== 0);
  if (failed) throw errorOfCode(failed.code);
  const alive = new Set(metadata.brokers.map(({ nodeId }) => nodeId));
  return metadata.topics.map((topic) => ({
    name: topic.name,
    partitions: topic.partitions.map(({ partitionErrorCode, partitionId, leader, replicas, isr }) => ({
      partitionErrorCode,
      partitionId,
      leader,
      replicas,
      isr,
      // librdkafka does not report offline replicas: these are the ones on brokers that are not in the metadata.
      offlineReplicas: replicas.filter((replica) => !alive.has(replica)),
    })),
  }));
}

/** Partition numbers of a topic, in order. */
export async function partitionsOf(context: AdminContext, topic: string): Promise<number[]> {
  const found = await retrying(context, ['LEADER_NOT_AVAILABLE'], () => topicMetadata(context, [topic]));
  const numbers = found.flatMap(({ partitions }) => partitions.map(({ partitionId }) => partitionId));
  return numbers.toSorted((a, b) => a - b);
}

/** kafkajs's `listTopics()`. */
export async function listTopics(context: AdminContext): Promise<string[]> {
  const { topics } = await ask(context, (native) => native.metadata(null, asking(context)));
  return topics.map(({ name }) => name);
}

/** kafkajs's `fetchTopicMetadata()`. */
export async function fetchTopicMetadata(
  context: AdminContext,
  { topics = [] }: { topics?: string[] } = {},
): Promise<{ topics: ITopicMetadata[] }> {
  for (const topic of topics ?? []) checkTopic(topic);
  const fetch = async () => ({ topics: await topicMetadata(context, topics ?? []) });
  return retrying(context, ['LEADER_NOT_AVAILABLE'], fetch);
}

/** kafkajs's checks of a list of topics to create, with its texts. */
function checkTopicsToCreate(topics: unknown): asserts topics is ITopicConfig[] {
  if (!topics || !Array.isArray(topics)) {
    throw new KafkaJSNonRetriableError(`Invalid topics array ${topics as string}`);
  }
  checkNames(topics, 'topics');
  for (const { topic, configEntries } of topics as ITopicConfig[]) checkEntries(topic, configEntries);
}

function checkNames(list: readonly { topic?: unknown }[], what: string): void {
  if (list.some(({ topic }) => typeof topic !== 'string')) {
    throw new KafkaJSNonRetriableError(`Invalid ${what} array, the topic names have to be a valid string`);
  }
  if (new Set(list.map(({ topic }) => topic)).size < list.length) {
    throw new KafkaJSNonRetriableError(
      `Invalid ${what} array, it cannot have multiple entries for the same topic`,
    );
  }
}

function checkEntries(topic: string, entries: unknown): void {
  if (entries === undefined || entries === null) return;
  const invalid = `Invalid configEntries for topic "${topic}"`;
  if (!Array.isArray(entries)) throw new KafkaJSNonRetriableError(`${invalid}, must be an array`);
  entries.forEach((entry: unknown, index) => {
    if (typeof entry !== 'object' || entry === null) {
      throw new KafkaJSNonRetriableError(`${invalid}. Entry ${index} must be an object`);
    }
    for (const property of ['name', 'value']) {
      if (typeof (entry as Record<string, unknown>)[property] !== 'string') {
        throw new KafkaJSNonRetriableError(
          `${invalid}. Entry ${index} must have a valid "${property}" property`,
        );
      }
    }
  });
}

/** kafkajs's `createTopics()`: false when topics exist already and nothing else failed. */
export async function createTopics(
  context: AdminContext,
  { topics, validateOnly, timeout, waitForLeaders = true }: Options<'createTopics'>,
): Promise<boolean> {
  checkTopicsToCreate(topics);
  if (topics.length > 0) {
    const options = changing(context, { timeout, validateOnly });
    const outcomes = await onPossible(topics, problemOfNewTopic, (possible) =>
      ask(context, (native) => native.createTopics(possible.map(newTopic), options)),
    );
    const failed = outcomes.filter(({ code }) => code !== 0);
    if (failed.some(({ code }) => code !== TOPIC_ALREADY_EXISTS)) throw creationError(failed);
    if (failed.length > 0) return false;
  }
  const names = topics.map(({ topic }) => topic);
  // Topics that were only validated have no leaders; kafkajs fails when it waits for them.
  if (waitForLeaders && !validateOnly && names.length > 0) await awaitLeaders(context, names, timeout);
  return true;
}

function newTopic({
  topic,
  numPartitions,
  replicationFactor,
  replicaAssignment,
  configEntries,
}: ITopicConfig) {
  return {
    name: topic,
    partitions: numPartitions ?? -1,
    replication: replicationFactor ?? -1,
    assignment: (replicaAssignment ?? []).toSorted((a, b) => a.partition - b.partition),
    config: configEntries ?? [],
  };
}

/** The error that a broker would give to what librdkafka does not send. */
function problemOfNewTopic({
  topic,
  numPartitions,
  replicationFactor,
  replicaAssignment,
}: ITopicConfig): number | undefined {
  const partitions = numPartitions ?? -1;
  const replication = replicationFactor ?? -1;
  if (topic === '' || cannotBeSent(topic)) return INVALID_TOPIC;
  // librdkafka never sends these two numbers together with an assignment.
  const isAssigned = (replicaAssignment ?? []).length > 0;
  if (isAssigned && (partitions !== -1 || replication !== -1)) return INVALID_REQUEST;
  if (partitions < -1 || partitions > MOST_PARTITIONS) return INVALID_PARTITIONS;
  if (replication < -1 || replication > MOST_REPLICAS) return INVALID_REPLICATION_FACTOR;
  return undefined;
}

/** The outcomes of a request, which is made of what librdkafka sends; what it would not send has the broker's error. */
async function onPossible<Item extends { topic: string }>(
  items: readonly Item[],
  problemOf: (item: Item) => number | undefined,
  request: (possible: Item[]) => Promise<NativeOutcome[]>,
): Promise<NativeOutcome[]> {
  const possible = items.filter((item) => problemOf(item) === undefined);
  const impossible = items.flatMap((item) => {
    const code = problemOf(item);
    return code === undefined ? [] : [{ name: item.topic, code, message: '' }];
  });
  return [...impossible, ...(possible.length > 0 ? await request(possible) : [])];
}

function creationError(failed: NativeOutcome[]): KafkaJSAggregateError {
  const errors = failed
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, code, message }) => {
      const error = errorOfCode(code, message);
      const isProtocol = error instanceof KafkaJSProtocolError;
      return isProtocol ? new KafkaJSCreateTopicError(errorCode(code), name, { cause: error.cause }) : error;
    });
  return new KafkaJSAggregateError('Topic creation errors', errors);
}

async function awaitLeaders(context: AdminContext, topics: string[], timeout?: number): Promise<void> {
  const deadline = performance.now() + (timeout ?? LEADER_TIMEOUT);
  const rest = (): number => Math.ceil(deadline - performance.now());
  for (let left = rest(); left > 0; left = rest()) {
    const requestTimeoutMs = Math.min(context.requestTimeoutMs, left);
    try {
      await topicMetadata({ ...context, requestTimeoutMs }, topics);
      return;
    } catch (error) {
      const isLate = error instanceof KafkaJSRequestTimeoutError && requestTimeoutMs === left;
      // A broker may not know the new topic yet.
      const isEarly = ['LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION'].includes(typeOf(error) ?? '');
      if (!isLate && !isEarly) throw error;
      await context.rest(Math.max(0, Math.min(LEADER_PAUSE, rest())), error);
    }
  }
  throw new KafkaJSTimeout('Timed out while waiting for topic leaders');
}

/** kafkajs's `deleteTopics()`. */
export async function deleteTopics(
  context: AdminContext,
  { topics, timeout }: Options<'deleteTopics'>,
): Promise<void> {
  if (!topics || !Array.isArray(topics)) {
    throw new KafkaJSNonRetriableError(`Invalid topics array ${topics as string}`);
  }
  if (topics.some((topic) => typeof topic !== 'string')) {
    throw new KafkaJSNonRetriableError('Invalid topics array, the names must be a valid string');
  }
  if (topics.length === 0) return;
  const options = changing(context, { timeout });
  await retrying(
    context,
    ['NOT_CONTROLLER', 'UNKNOWN_TOPIC_OR_PARTITION'],
    async () => throwFirst(await ask(context, (native) => native.deleteTopics(topics, options))),
    (error, retryCount, retryTime) =>
      context.logger.warn('Could not delete topics', { error: error.message, retryCount, retryTime }),
  ).catch((error: Error) => {
    if (typeOf(error) === 'REQUEST_TIMED_OUT') {
      context.logger.error(
        'Could not delete topics, check if "delete.topic.enable" is set to "true" (the default value is "false") or increase the timeout',
        { error: error.message },
      );
    }
    throw error;
  });
}

/** kafkajs's `createPartitions()`. */
export async function createPartitions(
  context: AdminContext,
  { topicPartitions, validateOnly, timeout }: Options<'createPartitions'>,
): Promise<boolean> {
  if (!topicPartitions || !Array.isArray(topicPartitions)) {
    throw new KafkaJSNonRetriableError(`Invalid topic partitions array ${topicPartitions as string}`);
  }
  if (topicPartitions.length === 0) throw new KafkaJSNonRetriableError(`Empty topic partitions array`);
  checkNames(topicPartitions, 'topic partitions');
  const options = changing(context, { timeout, validateOnly });
  const request = (possible: typeof topicPartitions): Promise<NativeOutcome[]> => {
    const extended = possible.map(({ topic, count, assignments }) => ({
      topic,
      count,
      assignment: assignments ?? [],
    }));
    return ask(context, (native) => native.createPartitions(extended, options));
  };
  const problemOf = ({ topic, count }: (typeof topicPartitions)[number]): number | undefined => {
    if (cannotBeSent(topic)) return INVALID_TOPIC;
    return count < 1 || count > MOST_PARTITIONS ? INVALID_PARTITIONS : undefined;
  };
  await retrying(context, ['NOT_CONTROLLER'], async () =>
    throwFirst(await onPossible(topicPartitions, problemOf, request)),
  );
  // kafkajs resolves with nothing, against its own types.
  return true;
}
