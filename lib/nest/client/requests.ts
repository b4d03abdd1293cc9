import { isThenable } from '../../application/callbacks.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import { KafkaPendingRequestsError } from '../../kafkajs/errors/index.js';
import { requestTracing } from '../../kafkajs/instrumentation/channels.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import { hasValue, withoutValue } from '../../kafkajs/producer/topic-messages.js';
import type { SendOptions } from '../../options/index.js';
import { refuseExplained } from './missing-reply-partition.js';
import {
  PendingRequest,
  PendingRequests,
  type ReplyCallback,
  type ReplyPartition,
} from './pending-requests.js';
import { Replies, type RepliesOptions } from './replies.js';
import { traceRequest } from './traced-requests.js';

/** What sending requests needs of the client. */
export interface RequestsOptions extends Omit<RepliesOptions, 'pending' | 'cancel'> {
  /** `maxPendingRequests`; Infinity if it is not set. */
  readonly most: number;
  readonly sendOptions: SendOptions;
  /** Serializes a payload; a promise only if the serializer is asynchronous. */
  readonly serialize: (data: unknown, pattern: string) => OutgoingRecord | PromiseLike<OutgoingRecord>;
  /** The client's producer; null if it has none. */
  readonly producer: () => Producer | null;
}

/** Sends requests, each in a slot of its own that its replies name, and cancels those that are unsubscribed. */
export class Requests {
  /** Passes replies to pending requests. */
  readonly replies: Replies;
  /** The prefix of the current consumer's correlation ids. */
  correlationPrefix = '';
  readonly #pending = new PendingRequests();
  readonly #options: RequestsOptions;

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.replies = new Replies({
      ...options,
      pending: this.#pending,
      cancel: (slot, generation) =>
        options.producer()?.channel(options.sendOptions).outgoing.cancel(slot, generation),
    });
  }

  /** The topic that a pending request was sent to. */
  topicOf(slot: number, generation: number): string | undefined {
    return this.#pending.find(slot, generation)?.asked;
  }

  /**
   * Sends a request. `callback` gets the replies, or an error instead; the returned function cancels the request.
   *
   * @throws KafkaPendingRequestsError when `maxPendingRequests` is reached; also throws what the serializer throws.
   */
  send(pattern: string, reply: ReplyPartition, data: unknown, callback: ReplyCallback): () => void {
    const { most, serialize } = this.#options;
    if (this.#pending.size >= most) throw new KafkaPendingRequestsError(most);
    const record = serialize(data, pattern);
    const request = new PendingRequest(pattern, reply, callback);
    const slot = this.#pending.open(request);
    const generation = this.#pending.generation(slot);
    if (isThenable(record)) {
      Promise.resolve(record)
        .then((resolved) => this.#traceSerialized(request, slot, generation, resolved))
        .catch((err: unknown) => this.replies.fail(slot, generation, err));
    } else {
      try {
        this.#trace(request, slot, generation, record);
      } catch (err) {
        this.replies.fail(slot, generation, err);
      }
    }
    return () => this.replies.forget(slot, generation);
  }

  /**
   * Fails a request without a reply partition, with the reason once that is found out; the returned function cancels
   * it.
   */
  refuse(err: Error, topic: string, consumer: Consumer, callback: ReplyCallback): () => void {
    const { identity, replyTimeout } = this.#options;
    return refuseExplained(err, topic, consumer, callback, {
      pending: this.#pending,
      replies: this.replies,
      groupId: identity().groupId,
      replyTimeout,
    });
  }

  /** Sends what was serialized later, unless the request has ended meanwhile: no span begins then that nothing would end. */
  #traceSerialized(request: PendingRequest, slot: number, generation: number, record: OutgoingRecord): void {
    if (this.#pending.find(slot, generation) === request) this.#trace(request, slot, generation, record);
  }

  #trace(request: PendingRequest, slot: number, generation: number, record: OutgoingRecord): void {
    if (!hasValue(record)) throw withoutValue(record, request.asked);
    if (requestTracing.hasSubscribers) {
      const { groupId } = this.#options.identity();
      const correlationId = `${this.correlationPrefix}-${slot}-${generation}`;
      const origin = { ...this.#producer.origin(), groupId, correlationId };
      traceRequest(request, record, origin, (traced) => this.#write(request, slot, generation, traced));
    } else this.#write(request, slot, generation, record);
  }

  #write(request: PendingRequest, slot: number, generation: number, record: OutgoingRecord): void {
    const producer = this.#producer;
    const write = ([placed]: readonly OutgoingRecord[]): void => {
      // Unsubscribed while the topic's partitions were being fetched.
      if (this.#pending.find(slot, generation) === undefined) return;
      const channel = this.#producer.channel(this.#options.sendOptions);
      const [topic, reply] = [channel.topic(request.asked), channel.topic(request.topic)];
      channel.outgoing.request(topic, slot, generation, reply, request.partition, placed as OutgoingRecord);
    };
    producer.place(request.asked, [record], write, (err) => this.replies.fail(slot, generation, err));
  }

  get #producer(): Producer {
    const producer = this.#options.producer();
    if (!producer) throw new Error('No producer initialized. Please, call the "connect" method first.');
    return producer;
  }
}
