import { checkEosAcks } from '../../options/producer.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import type { TopicMessages } from '../types/index.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import type { TopicRecords } from './traced-sends.js';
import { jsonOf } from '../../values/describe.js';

/** The messages of each topic, in the order in which the topics are first named. */
export function byTopic(
  topicMessages: readonly TopicRecords[],
): [topic: string, messages: readonly OutgoingRecord[]][] {
  const [only] = topicMessages;
  if (topicMessages.length === 1 && only !== undefined) return [[only.topic, only.messages]];
  const merged = new Map<string, readonly OutgoingRecord[]>();
  for (const { topic, messages } of topicMessages) {
    merged.set(topic, [...(merged.get(topic) ?? []), ...messages]);
  }
  return [...merged];
}

/** kafkajs's checks of `send()` and `sendBatch()`, with its texts; `acks` of idempotent producers only. */
export function checkBatch(topicMessages: readonly TopicMessages[], acks?: number): void {
  if (topicMessages.some(({ topic }) => !topic)) throw new KafkaJSNonRetriableError('Invalid topic');
  checkEosAcks(acks);
  for (const { topic, messages } of topicMessages) {
    if (!Array.isArray(messages)) {
      throw new KafkaJSNonRetriableError(`Invalid messages array [${String(messages)}] for topic "${topic}"`);
    }
    const invalid = messages.find((message) => message.value === undefined);
    if (invalid) throw withoutValue(invalid, topic);
  }
}

/** Whether what a serializer has made has a value, if only null. Without one it would be written as a tombstone. */
export function hasValue(record: OutgoingRecord): boolean {
  // A serializer may return anything.
  return (record as OutgoingRecord | null | undefined)?.value !== undefined;
}

/** kafkajs's error for a message without a value. */
export function withoutValue(message: unknown, topic: string): KafkaJSNonRetriableError {
  return new KafkaJSNonRetriableError(
    `Invalid message without value for topic "${topic}": ${jsonOf(message)}`,
  );
}
