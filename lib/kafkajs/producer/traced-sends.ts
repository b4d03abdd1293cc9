import type { RawHeader } from '../../codec/incoming.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { sendTracing, traceNow } from '../instrumentation/channels.js';
import type { IHeaders, RecordMetadata, TracedMessage, TracedSend } from '../types/index.js';
import { setOwn } from '../../values/own-property.js';

/** Messages to one topic. */
export interface TopicRecords {
  readonly topic: string;
  readonly messages: readonly OutgoingRecord[];
}

/** What is known of a send besides its messages. */
export type SendOrigin = Omit<TracedSend, 'topic' | 'messages' | 'result' | 'error'>;

/** Whether anybody wants to know of sends. */
export const areSendsTraced = (): boolean => sendTracing.hasSubscribers;

/** Tells of sends to topics, and sends what subscribers have made of the messages: copies, in which they may write headers. */
export function traceSends(
  sends: readonly TopicRecords[],
  origin: SendOrigin,
  send: (sends: TopicRecords[]) => Promise<RecordMetadata[]>,
): Promise<RecordMetadata[]> {
  const copies = sends.map(({ topic, messages }) => ({
    topic,
    // Any iterable, as without tracing.
    messages: Array.from(messages as Iterable<OutgoingRecord>, (message) => new CopiedMessage(message)),
  }));
  const contexts = copies.map(({ topic, messages }): TracedSend => ({
    ...origin,
    topic,
    messages: messages.map(({ traced }) => traced),
  }));
  const outward = (): TopicRecords[] =>
    copies.map(({ topic, messages }) => ({ topic, messages: messages.map((message) => message.record()) }));
  // One within the other: each has the whole of it inside.
  return contexts.reduceRight<() => Promise<RecordMetadata[]>>(
    (inner, context) => () => sendTracing.tracePromise(async () => inner(), context),
    () => send(outward()),
  )();
}

/** Tells of a record whose delivery nobody here hears of, and writes what subscribers have made of it. */
export function traceWritten(
  topic: string,
  record: OutgoingRecord,
  origin: SendOrigin,
  write: (record: OutgoingRecord) => void,
): void {
  const copy = new CopiedMessage(record);
  traceNow<TracedSend>(sendTracing, { ...origin, topic, messages: [copy.traced] }, () =>
    write(copy.record()),
  );
}

/** A message that subscribers may change. */
export class CopiedMessage {
  readonly traced: TracedMessage;
  readonly #raw: OutgoingRecord['rawHeaders'];
  readonly #given: IHeaders;

  /** Reads each field once, which may call the application. */
  constructor({ key, value, headers, rawHeaders, partition, timestamp }: OutgoingRecord) {
    this.#raw = rawHeaders;
    this.#given = { ...grouped(rawHeaders), ...headers };
    const traced: Record<keyof TracedMessage, unknown> = { key, value, headers: { ...this.#given } } as never;
    if (partition !== undefined && partition !== null) traced.partition = partition;
    if (timestamp !== undefined && timestamp !== null) traced.timestamp = timestamp;
    this.traced = traced as unknown as TracedMessage;
  }

  /** The message as it goes out. Headers whose order counts keep it, and those of them that were overwritten go behind. */
  record(): OutgoingRecord {
    const { key, value, headers, partition, timestamp } = this.traced;
    if (this.#raw === undefined) return { key, value, headers, partition, timestamp };
    const isKept = (name: string): boolean => headers?.[name] === this.#given[name];
    const changed = Object.entries(headers ?? {}).filter(([name]) => !isKept(name));
    const rawHeaders = this.#raw.filter(([name]) => isKept(name));
    return { key, value, rawHeaders, headers: Object.fromEntries(changed), partition, timestamp };
  }
}

/** Headers in KafkaJS's shape: one that occurs more than once is an array. */
function grouped(raw: readonly (readonly [string, unknown])[] = []): IHeaders {
  const headers: Record<string, unknown> = {};
  for (const [name, value] of raw as readonly RawHeader[]) {
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (before === undefined) setOwn(headers, name, value);
    else headers[name] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return headers as IHeaders;
}
