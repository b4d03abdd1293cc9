import type { NativeOffset, NativePartitionOffset } from '../../native/index.js';
import {
  KafkaJSBrokerNotFound,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSError,
  KafkaJSNonRetriableError,
} from '../errors/index.js';
import { long, parseLong } from '../../values/long.js';
import { offsetToSeek } from '../offsets.js';
import type { FetchOffsetsPartition, SeekEntry } from '../types/index.js';
import {
  ask,
  asking,
  COORDINATOR_TYPES,
  changing,
  each,
  errorOfPartition,
  lookingAtGroup,
  onCoordinator,
  retrying,
  type AdminContext,
} from './context.js';
import { groupState } from './groups.js';
import { checkTopic, partitionsOf } from './topics.js';

/** kafkajs's special offsets, which Kafka takes instead of a timestamp. */
const LATEST = '-1';
const EARLIEST = '-2';
/** Kafka's committed offset of a partition without one; librdkafka has another number for it. */
const NONE = '-1';
const OFFSET_INVALID = '-1001';

/** An offset with the low and high watermark of its partition. */
export interface TopicOffset extends SeekEntry {
  high: string;
  low: string;
}

/** Offsets of a topic's partitions at a timestamp or at one of the special offsets. */
async function offsetsAt(
  context: AdminContext,
  topic: string,
  partitions: readonly number[],
  at: string,
): Promise<Map<number, string>> {
  const request = partitions.map((partition) => ({ topic, partition, offset: at }));
  const found = await ask(context, (native) => native.listOffsets(request, asking(context)));
  throwFirstOf(found);
  return new Map(found.map(({ partition, offset }) => [partition, offset]));
}

function throwFirstOf(found: readonly NativePartitionOffset[]): void {
  const failed = found.find(({ code }) => code !== 0);
  if (failed) throw errorOfPartition(failed);
}

/** What is tried again: the topic does not exist yet, its leaders move, or one of them has gone before it answered. */
const LEADER_TYPES = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'KafkaJSConnectionError',
];

/** The same with the topic's partitions looked up, and with retries, as kafkajs has them for a topic that does not exist yet. */
function onTopic<T>(
  context: AdminContext,
  topic: string,
  use: (partitions: number[]) => Promise<T>,
): Promise<T> {
  return retrying(context, LEADER_TYPES, async () => use(await partitionsOf(context, topic)));
}

/** kafkajs's `fetchTopicOffsets()`. */
export async function fetchTopicOffsets(context: AdminContext, topic: string): Promise<TopicOffset[]> {
  checkTopic(topic);
  return onTopic(context, topic, async (partitions) => {
    const [high, low] = await Promise.all([
      offsetsAt(context, topic, partitions, LATEST),
      offsetsAt(context, topic, partitions, EARLIEST),
    ]);
    return partitions.map((partition) => {
      const end = high.get(partition) ?? LATEST;
      return { partition, offset: end, high: end, low: low.get(partition) ?? LATEST };
    });
  });
}

/** kafkajs's `fetchTopicOffsetsByTimestamp()`: without a record as late, the partition's end. */
export async function fetchTopicOffsetsByTimestamp(
  context: AdminContext,
  topic: string,
  timestamp?: number,
): Promise<SeekEntry[]> {
  checkTopic(topic);
  // As in kafkajs, null is no timestamp either.
  const at = timestamp === undefined || timestamp === null ? LATEST : timeOf(timestamp);
  return onTopic(context, topic, async (partitions) => {
    const high = await offsetsAt(context, topic, partitions, LATEST);
    const found = await offsetsAt(context, topic, partitions, at);
    return partitions.map((partition) => {
      const offset = found.get(partition) ?? LATEST;
      return { partition, offset: isAbsolute(offset) ? offset : (high.get(partition) ?? LATEST) };
    });
  });
}

const isAbsolute = (offset: string): boolean => long(offset) >= 0;

/** A timestamp, or one of the special offsets, as text; fractions of a millisecond are cut off. */
function timeOf(timestamp: unknown): string {
  const time = typeof timestamp === 'number' ? parseLong(Math.floor(timestamp)) : parseLong(timestamp);
  if (time !== undefined) return String(time);
  throw new KafkaJSNonRetriableError(
    `Invalid timestamp, expected milliseconds since the epoch, received ${String(timestamp)}`,
  );
}

/** Argument of `fetchOffsets()`. */
export interface FetchOffsetsOptions {
  groupId: string;
  topics?: string[];
  resolveOffsets?: boolean;
}

/** A topic's committed offsets. */
export interface FetchedOffsets {
  topic: string;
  partitions: FetchOffsetsPartition[];
}

/**
 * kafkajs's `fetchOffsets()`. With `stable` it waits for the end of transactions that commit such offsets, whose outcome the group's
 * coordinator does not know yet.
 */
export async function fetchOffsets(
  context: AdminContext,
  { groupId, topics, resolveOffsets = false }: FetchOffsetsOptions,
  stable = false,
): Promise<FetchedOffsets[]> {
  checkGroup(groupId);
  const names = topics ?? [];
  if (!Array.isArray(names)) throw new KafkaJSNonRetriableError('Expected topics array to be set');
  const asked = await each([...new Set(names)], async (topic) => {
    const partitions = await partitionsOf(context, topic);
    return partitions.map((partition) => ({ topic, partition }));
  });
  const request = names.length > 0 ? asked.flat() : null;
  const look = async (): Promise<NativePartitionOffset[]> => {
    const options = { ...asking(context), stable };
    const offsets = await ask(context, (native) => native.groupOffsets(groupId, request, options));
    throwFirstOf(offsets);
    return offsets;
  };
  const types = [...COORDINATOR_TYPES, 'UNSTABLE_OFFSET_COMMIT'];
  const found = await lookingAtGroup(() => retrying(context, types, look));
  const fetched = byTopic(found, names);
  return resolveOffsets ? each(fetched, (entry) => resolved(context, groupId, entry)) : fetched;
}

function byTopic(found: readonly NativePartitionOffset[], order: readonly string[]): FetchedOffsets[] {
  const topics = new Map<string, FetchOffsetsPartition[]>(order.map((topic) => [topic, []]));
  for (const { topic, partition, offset, metadata } of found) {
    const partitions = topics.get(topic) ?? [];
    topics.set(topic, partitions);
    partitions.push({
      partition,
      offset: offset === OFFSET_INVALID ? NONE : offset,
      metadata: metadata || null,
    });
  }
  const names = order.length > 0 ? order : [...topics.keys()];
  return names.map((topic) => ({
    topic,
    partitions: (topics.get(topic) ?? []).toSorted((a, b) => a.partition - b.partition),
  }));
}

/** kafkajs's `resolveOffsets`: replaces special offsets by the partitions' beginning or end, and commits these. */
async function resolved(
  context: AdminContext,
  groupId: string,
  { topic, partitions }: FetchedOffsets,
): Promise<FetchedOffsets> {
  const ends = new Map((await fetchTopicOffsets(context, topic)).map((entry) => [entry.partition, entry]));
  const settled = partitions.map((entry) => {
    const { high = entry.offset, low = entry.offset } = ends.get(entry.partition) ?? {};
    const offset = { [LATEST]: high, [EARLIEST]: low }[entry.offset] ?? entry.offset;
    return { ...entry, offset };
  });
  await setOffsets(context, { groupId, topic, partitions: settled });
  return { topic, partitions: settled };
}

function checkGroup(groupId: unknown): void {
  if (!groupId) throw new KafkaJSNonRetriableError(`Invalid groupId ${groupId as string}`);
}

/** Argument of `setOffsets()`. */
export interface SetOffsetsOptions {
  groupId: string;
  topic: string;
  partitions: (SeekEntry & { metadata?: string | null })[];
}

/** kafkajs's `setOffsets()`: refused while the group has members. */
export async function setOffsets(
  context: AdminContext,
  { groupId, topic, partitions }: SetOffsetsOptions,
): Promise<void> {
  checkGroup(groupId);
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`);
  if (!partitions || partitions.length === 0) throw new KafkaJSNonRetriableError(`Invalid partitions`);
  const offsets = lastOfEach(
    partitions.map(({ metadata, ...entry }) => {
      const offset = offsetToSeek({ topic, ...entry });
      return metadata ? { ...offset, metadata } : offset;
    }),
  );
  const state = await groupState(context, groupId);
  if (!['Empty', 'Dead'].includes(state)) {
    throw new KafkaJSNonRetriableError(
      `The consumer group must have no running instances, current state: ${state}`,
    );
  }
  const absolute = await withoutSpecial(context, offsets);
  const options = changing(context, {});
  await onCoordinator(context, async () =>
    throwFirstOf(await ask(context, (native) => native.setGroupOffsets(groupId, absolute, options))),
  );
}

/** The last entry of each partition, which is the one that counts. */
function lastOfEach<Entry extends { partition: number }>(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [entry.partition, entry])).values()];
}

/** kafkajs commits -1 and -2 as they are; librdkafka commits only absolute offsets, so they are looked up first. */
async function withoutSpecial(context: AdminContext, offsets: NativeOffset[]): Promise<NativeOffset[]> {
  const special = offsets.filter(({ offset }) => !isAbsolute(offset));
  if (special.length === 0) return offsets;
  const request = special.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
  const found = await retrying(context, LEADER_TYPES, async () => {
    const looked = await ask(context, (native) => native.listOffsets(request, asking(context)));
    throwFirstOf(looked);
    return looked;
  });
  const ends = new Map(found.map(({ partition, offset }) => [partition, offset]));
  return offsets.map((entry) =>
    isAbsolute(entry.offset) ? entry : { ...entry, offset: ends.get(entry.partition) ?? '0' },
  );
}

/** kafkajs's `resetOffsets()`. */
export async function resetOffsets(
  context: AdminContext,
  { groupId, topic, earliest = false }: { groupId: string; topic: string; earliest?: boolean },
): Promise<void> {
  checkGroup(groupId);
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`);
  const numbers = await partitionsOf(context, topic);
  const offset = earliest ? EARLIEST : LATEST;
  await setOffsets(context, {
    groupId,
    topic,
    partitions: numbers.map((partition) => ({ partition, offset })),
  });
}

/** kafkajs's `deleteTopicRecords()`. */
export async function deleteTopicRecords(
  context: AdminContext,
  { topic, partitions }: { topic: string; partitions: SeekEntry[] },
): Promise<void> {
  if (!topic || typeof topic !== 'string') {
    throw new KafkaJSNonRetriableError(`Invalid topic "${topic as string}"`);
  }
  if (!partitions || partitions.length === 0) throw new KafkaJSNonRetriableError(`Invalid partitions`);
  const request = lastOfEach(partitions.map((entry) => offsetToSeek({ topic, ...entry })));
  const lows = new Map(
    (await fetchTopicOffsets(context, topic)).map(({ partition, low }) => [partition, long(low)]),
  );
  const unknown = partitions.filter(({ partition }) => !lows.has(partition));
  if (unknown.length > 0) {
    const error = new KafkaJSBrokerNotFound('Could not find the leader for the partition', {
      retriable: false,
    });
    throw recordsError(
      topic,
      unknown.map(({ partition, offset }) => ({ partition, offset, error })),
    );
  }
  for (const { partition, offset } of request) {
    if (offset !== LATEST && long(offset) < (lows.get(partition) ?? 0)) {
      context.logger.warn(
        'The requested offset is before the earliest offset maintained on the partition - no records will be deleted from this partition',
        { topic, partition, offset },
      );
    }
  }
  let open = request;
  const attempt = async (): Promise<void> => {
    // Leaders may have moved.
    if (open !== request) await partitionsOf(context, topic);
    const outcomes = await ask(context, (native) => native.deleteRecords(open, changing(context, {})));
    const failed = outcomes.filter(({ code }) => code !== 0);
    if (failed.length === 0) return;
    const numbers = new Set(failed.map(({ partition }) => partition));
    open = open.filter(({ partition }) => numbers.has(partition));
    throw recordsError(
      topic,
      failed.map((outcome) => ({
        partition: outcome.partition,
        offset: partitions.findLast((entry) => entry.partition === outcome.partition)?.offset ?? NONE,
        error: errorOfPartition(outcome),
      })),
    );
  };
  await retrying(context, areRetriable, attempt).catch((error: unknown) => {
    // As in kafkajs, whose retry wraps errors that are not retriable.
    if (!(error instanceof KafkaJSDeleteTopicRecordsError)) throw error;
    throw new KafkaJSNonRetriableError(error, { cause: error });
  });
}

/** Whether the records that could not be deleted may be another time. */
const areRetriable = (error: KafkaJSError): boolean =>
  error instanceof KafkaJSDeleteTopicRecordsError && error.retriable;

function recordsError(
  topic: string,
  partitions: { partition: number; offset: string; error: KafkaJSError }[],
): KafkaJSDeleteTopicRecordsError {
  return new KafkaJSDeleteTopicRecordsError({ topic, partitions });
}
