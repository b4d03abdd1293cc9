import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { valueOf, type NativeConsumer } from '../native/index.js';
import { spread } from './spread.js';

/** Pauses before looking again for a topic that was just created, and for one that is missing, in milliseconds. */
const CREATED_TOPIC_PAUSE = 50;
const MISSING_TOPIC_PAUSE = 2000;

/** A consumer that reads reply partitions without a group. */
export interface RepliesReader {
  readonly native: NativeConsumer;
  readonly clientId: string;
  /** Time limit of a request, in milliseconds. */
  readonly timeout: number;
  /** False once the consumer was stopped. */
  readonly isCurrent: () => boolean;
}

/** Reads one partition of each reply topic, spread over the instances; those of missing topics once they exist. */
export async function assignReplies(
  reader: RepliesReader,
  names: readonly string[],
  missing: readonly string[],
): Promise<void> {
  const { native, clientId, timeout } = reader;
  const deadline = performance.now() + timeout;
  for (let left = names; left.length > 0;) {
    const topics = new Map(valueOf(await native.listTopics(timeout)).map((t) => [t.name, t.partitions]));
    const found = left.filter((topic) => topics.get(topic));
    left = left.filter((topic) => !topics.get(topic));
    if (found.length > 0) {
      const partitions = found.map((topic) => ({
        topic,
        partition: spread(`${clientId} ${topic}`, topics.get(topic) as number),
      }));
      valueOf(await native.assignReplies(partitions));
    }
    if (left.every((topic) => missing.includes(topic)) || performance.now() > deadline) {
      if (left.length > 0) assignLater(reader, left);
      return;
    }
    // The topic was just created, and the broker that was asked does not know it yet.
    await setTimeoutPromise(CREATED_TOPIC_PAUSE);
  }
}

function assignLater(reader: RepliesReader, names: readonly string[]): void {
  setTimeout(() => {
    if (!reader.isCurrent()) return;
    assignReplies(reader, names, names).catch(() => assignLater(reader, names));
  }, MISSING_TOPIC_PAUSE).unref();
}
