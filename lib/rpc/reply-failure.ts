import { codeOf } from '../kafkajs/errors/codes.js';
import type { LostRecord } from '../boundary/events.js';
import type { EventOf } from '../native/core-events.js';

/** The core's event about a reply that could not be sent. */
export type ReplyFailure = EventOf<'replyFailed'>;

/** Errors of a topic or partition that the producer does not know (any more). */
const UNKNOWN: ReadonlySet<number> = new Set(
  ['_UNKNOWN_PARTITION', '_UNKNOWN_TOPIC', 'UNKNOWN_TOPIC_OR_PARTITION'].map(codeOf),
);

/** The log line about it. */
export function describeReplyFailure({ topic, partition, message, lost }: ReplyFailure): string {
  const where = partition === null ? topic : `${topic} [${partition}]`;
  const failure = `A reply to ${where} could not be sent: ${message}`;
  if (lost === undefined) return failure;
  const record = `message ${lost.offset} of ${lost.topic} [${lost.partition}]`;
  const outcome = lost.comesAgain
    ? 'will be handled again'
    : 'counts as handled, and its client is left without an answer';
  return `${failure}, nor could an error in its place: ${record} ${outcome}`;
}

/** The payload of the event about it. */
export function replyFailedPayload({ topic, partition, code, message, lost }: ReplyFailure): {
  topic: string;
  partition: number | null;
  code: number;
  message: string;
  lost: LostRecord | null;
} {
  return { topic, partition, code, message, lost: lost ?? null };
}

/**
 * Whether the next reply to the topic would fail too, unless its metadata is refreshed: librdkafka does that only
 * every few minutes.
 */
export function isOutdated({ code, startOver }: ReplyFailure): boolean {
  return startOver !== undefined && UNKNOWN.has(code);
}
