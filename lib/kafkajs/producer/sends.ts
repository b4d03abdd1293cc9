import { ignore, own } from '../../application/callbacks.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import type { KafkaJSError } from '../errors/index.js';
import type { RecordMetadata, TopicMessages } from '../types/index.js';
import type { SendTarget } from './handles.js';
import type { Partitioning } from './partitioning.js';
import type { SendCallback } from './pending-sends.js';
import { byTopic } from './topic-messages.js';
import { areSendsTraced, traceSends, type SendOrigin, type TopicRecords } from './traced-sends.js';

/** Sends the messages of one topic to their chosen partitions. */
type SendOne = (topic: string, messages: readonly OutgoingRecord[], done: SendCallback) => void;

/** What sends need of their producer. */
export interface SendsOptions {
  /** The application's partitioner. */
  readonly partitioning: Partitioning | undefined;
  /** The producer's data for the tracing of sends. */
  readonly origin: () => SendOrigin;
}

/** The steps between a call of the application and the handle that sends: choosing partitions, and tracing. */
export class Sends {
  readonly #options: SendsOptions;

  constructor(options: SendsOptions) {
    this.#options = options;
  }

  /** Sends messages to several topics. */
  all(
    topicMessages: readonly TopicMessages[],
    about: Partial<SendOrigin>,
    send: SendOne,
  ): Promise<RecordMetadata[]> {
    return areSendsTraced() ? this.#traced(topicMessages, about, send) : this.#sendAll(topicMessages, send);
  }

  /** Sends messages to one topic, with a callback instead of a promise. */
  one(
    topic: string,
    messages: readonly OutgoingRecord[],
    { handle, settings }: SendTarget,
    done: SendCallback,
    purpose?: SendOrigin['purpose'],
  ): void {
    if (areSendsTraced()) {
      const sent = this.#traced([{ topic, messages }], purpose ? { purpose } : {}, (_, placed, told) =>
        handle.send(topic, placed, told, settings),
      );
      own(callBack(sent, done), ignore);
      return;
    }
    this.place(
      topic,
      messages,
      (placed) => handle.send(topic, placed, done, settings),
      (error) => done(error as KafkaJSError, []),
    );
  }

  /** Calls `next` with the messages on the partitions that a custom partitioner chooses; later, if the topic's partitions are not known. */
  place(
    topic: string,
    messages: readonly OutgoingRecord[],
    next: (placed: readonly OutgoingRecord[]) => void,
    fail: (error: unknown) => void,
  ): void {
    const placed = this.#options.partitioning?.place(topic, messages) ?? messages;
    if (placed instanceof Promise) own(later(placed, next), fail);
    else next(placed);
  }

  /** Sends, with tracing. */
  #traced(
    topicMessages: readonly TopicRecords[],
    about: Partial<SendOrigin>,
    send: SendOne,
  ): Promise<RecordMetadata[]> {
    const origin = { ...this.#options.origin(), ...about };
    return traceSends(topicMessages, origin, (sends) => this.#sendAll(sends, send));
  }

  async #sendAll(topicMessages: readonly TopicRecords[], send: SendOne): Promise<RecordMetadata[]> {
    const sends = byTopic(topicMessages).map(
      ([topic, messages]) =>
        new Promise<RecordMetadata[]>((resolve, reject) => {
          const done: SendCallback = (error, metadata) => (error ? reject(error) : resolve(metadata));
          this.place(topic, messages, (placed) => send(topic, placed, done), reject);
        }),
    );
    return (await Promise.all(sends)).flat();
  }
}

/** Calls back with the outcome of a send. */
async function callBack(sent: Promise<RecordMetadata[]>, done: SendCallback): Promise<void> {
  let metadata: RecordMetadata[];
  try {
    metadata = await sent;
  } catch (error) {
    done(error as KafkaJSError, []);
    return;
  }
  done(null, metadata);
}

/** Continues when the partitions are known. */
async function later<T>(placed: Promise<T>, next: (placed: T) => void): Promise<void> {
  next(await placed);
}
