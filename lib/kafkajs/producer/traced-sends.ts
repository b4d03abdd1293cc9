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

/** The data of a send besides its messages. */
export type SendOrigin = Omit<TracedSend, 'topic' | 'messages' | 'result' | 'error'>;

/** Whether tracing of sends has subscribers. */
export const areSendsTraced = (): boolean => sendTracing.hasSubscribers;

/** Publishes sends and sends copies of the messages, to which subscribers may add headers. */
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
  // Nested, so that the whole send is inside of every context.
  return contexts.reduceRight<() => Promise<RecordMetadata[]>>(
    (inner, context) => () => sendTracing.tracePromise(async () => inner(), context),
    () => send(outward()),
  )();
}

/** Publishes a record whose delivery is not reported here, and writes its copy with the subscribers' headers. */
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

  /** Reads each field once, which may call code of the application. */
  constructor({ key, value, headers, rawHeaders, partition, timestamp }: OutgoingRecord) {
    this.#raw = rawHeaders;
    this.#given = { ...grouped(rawHeaders), ...headers };
    const traced: Record<keyof TracedMessage, unknown> = { key, value, headers: { ...this.#given } } as never;
    if (partition !== undefined && partition !== null) traced.partition = partition;
    if (timestamp !== undefined && timestamp !== null) traced.timestamp = timestamp;
    this.traced = traced as unknown as TracedMessage;
  }

  /** The message to send. Ordered headers keep their order; overwritten ones move to the end. */
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
