import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ignore, own } from '../../application/callbacks.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import type { Admin } from '../../kafkajs/admin/admin.js';
import type { EachBatchPayload } from '../../kafkajs/types/index.js';
import { CommandError } from '../front.js';
import { letterOf, type Letter } from './letter.js';

/** How often to check whether everything has been read, in milliseconds. */
const LOOK = 200;

/** Letters of one partition, and the function that marks them as done. */
export interface Batch {
  readonly letters: readonly Letter[];
  /** Marks all letters up to this one as done. */
  done(letter: Letter): void;
  /** Whether the partition was revoked, or the reading has ended. */
  isStale(): boolean;
  heartbeat(): Promise<void>;
}

/** How a topic is read. */
export interface Reading {
  readonly kafka: Kafka;
  readonly topic: string;
  /** The group that commits how far was read; without one, nothing of the reading is left and everything is read. */
  readonly group?: string | undefined;
  /** Without a group: begins where this other one has come to, whose offsets stay as they are. */
  readonly after?: string;
  readonly handle: (batch: Batch) => Promise<void>;
  /** Ends the reading early. */
  readonly signal: AbortSignal;
}

/**
 * Reads a topic up to its current end. Resolves when all letters are done, or the signal is aborted; rejects with
 * what `handle` rejects with.
 *
 * @throws CommandError when the topic does not exist
 */
export async function readLetters({ kafka, topic, group, after, handle, signal }: Reading): Promise<void> {
  const admin = kafka.admin();
  const groupId = group ?? `nestjs-kafka-native-reading-${randomBytes(6).toString('hex')}`;
  const consumer = kafka.consumer({ groupId, allowAutoTopicCreation: false, retry: { retries: 3 } });
  let fail: (error: unknown) => void = ignore;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  own(failed, ignore);
  consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
  try {
    await admin.connect();
    if (!(await admin.listTopics()).includes(topic)) {
      throw new CommandError(
        `There is no topic ${topic}. Names of dead-letter topics end in .DLT by default`,
      );
    }
    const partitions = await partitionsOf(admin, topic);
    if (after !== undefined) await beginAfter(admin, after, groupId, topic);
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const run = consumer.run({
      eachBatchAutoResolve: false,
      autoCommitInterval: LOOK,
      eachBatch: async (payload) => {
        try {
          await handle(batchOf(payload, partitions, signal));
        } catch (error) {
          fail(error);
          throw error;
        }
      },
    });
    await Promise.race([run, failed]);
    while (!signal.aborted && !(await isRead(admin, groupId, topic, partitions))) {
      await Promise.race([delay(LOOK, undefined, { signal }).catch(() => undefined), failed]);
    }
  } finally {
    await consumer.disconnect();
    if (group === undefined) await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect();
  }
}

/** Has a group begin where another one has come to; in partitions where that has committed nothing, at the start. */
async function beginAfter(admin: Admin, other: string, groupId: string, topic: string): Promise<void> {
  const [found] = await admin.fetchOffsets({ groupId: other, topics: [topic] });
  const partitions = (found?.partitions ?? []).filter(({ offset }) => BigInt(offset) >= 0n);
  if (partitions.length > 0) await admin.setOffsets({ groupId, topic, partitions });
}

/** How far a partition has been read. */
interface Extent {
  /** The offset after its last message, or marker of a transaction, when the reading began. */
  readonly end: bigint;
  /** The offset of the last letter that has come; -2, before whatever is committed, while none has. */
  last: bigint;
  /** Whether a message at the end, or behind it, has come: then all letters have. */
  isPassed: boolean;
}

/** The partitions that are not empty. */
async function partitionsOf(admin: Admin, topic: string): Promise<ReadonlyMap<number, Extent>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(
    offsets
      .filter(({ low, high }) => low !== high)
      .map(({ partition, high }) => [partition, { end: BigInt(high), last: -2n, isPassed: false }]),
  );
}

/**
 * Whether the group has committed everything up to these ends. A consumer's position goes beyond the marker of a
 * transaction at an end, unless a later message is waiting behind it: then the last letter counts.
 */
async function isRead(
  admin: Admin,
  groupId: string,
  topic: string,
  partitions: ReadonlyMap<number, Extent>,
): Promise<boolean> {
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  const reached = new Map(found?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
  return [...partitions].every(([partition, { end, last, isPassed }]) => {
    const committed = reached.get(partition) ?? -1n;
    return committed >= end || (isPassed && committed > last);
  });
}

/** The letters of a batch that existed when the reading began. */
function batchOf(
  { batch, resolveOffset, heartbeat, isStale, isRunning }: EachBatchPayload,
  partitions: ReadonlyMap<number, Extent>,
  signal: AbortSignal,
): Batch {
  const extent = partitions.get(batch.partition);
  const messages = batch.messages.filter(({ offset }) => BigInt(offset) < (extent?.end ?? 0n));
  if (extent !== undefined) {
    // Letters come again after a rebalance: then this is not the last one.
    const last = BigInt(messages.at(-1)?.offset ?? extent.last);
    if (last > extent.last) extent.last = last;
    extent.isPassed ||= messages.length < batch.messages.length;
  }
  return {
    letters: messages.map((message) => letterOf(batch.partition, message)),
    done: ({ message }) => resolveOffset(message.offset),
    isStale: () => signal.aborted || isStale() || !isRunning(),
    heartbeat,
  };
}
