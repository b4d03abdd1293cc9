import { isThenable } from '../../application/callbacks.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import { hasValue, withoutValue } from '../../kafkajs/producer/topic-messages.js';
import type { RecordMetadata } from '../../kafkajs/types/index.js';
import type { SendOptions } from '../../options/index.js';

/** What sending events needs of the client. */
export interface EventsOptions {
  readonly sendOptions: SendOptions;
  /** Serializes a payload; a promise only if the serializer is asynchronous. */
  readonly serialize: (data: unknown, pattern: string) => OutgoingRecord | PromiseLike<OutgoingRecord>;
  /** The client's producer. */
  readonly producer: () => Producer;
}

/** Sends events; the returned promises resolve when they are delivered. */
export class Events {
  readonly #options: EventsOptions;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** Sends one event. */
  send(topic: string, data: unknown): Promise<RecordMetadata[]> {
    const record = this.#options.serialize(data, topic);
    return isThenable(record)
      ? Promise.resolve(record).then((resolved) => this.#dispatch(topic, [resolved]))
      : this.#dispatch(topic, [record]);
  }

  /** Sends several events of one topic together. */
  async sendAll(topic: string, data: readonly unknown[]): Promise<RecordMetadata[]> {
    const { serialize } = this.#options;
    // Not `data.map()`: that of a typed array would turn promises into numbers.
    const records = await Promise.all(Array.from(data, (one) => serialize(one, topic)));
    return this.#dispatch(topic, records);
  }

  #dispatch(topic: string, records: OutgoingRecord[]): Promise<RecordMetadata[]> {
    const { producer, sendOptions } = this.#options;
    return new Promise((resolve, reject) => {
      for (const record of records) if (!hasValue(record)) throw withoutValue(record, topic);
      producer().dispatch(topic, records, sendOptions, (error, metadata) =>
        error ? reject(error) : resolve(metadata),
      );
    });
  }
}
