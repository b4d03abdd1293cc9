import type { Deserializer, WritePacket } from '@nestjs/microservices';
import { own } from '../kafkajs/callbacks.js';
import { KafkaReplyLostError, KafkaReplyTimeoutError } from '../kafkajs/errors.js';
import { REPLY_DISPOSED, REPLY_ERROR } from '../boundary/incoming.js';
import type { IncomingBatch } from '../packed/incoming.js';
import { incomingMessage } from '../server/incoming-message.js';
import type { PendingRequests, ReplyCallback, ReplyPartition } from './pending-requests.js';

/** What replies need of their client. */
export interface RepliesOptions {
  readonly pending: PendingRequests;
  /** `parser.keepBinary`. */
  readonly keepBinary: boolean;
  /** `replyTimeout`, in milliseconds, where it is set. */
  readonly replyTimeout: number | undefined;
  /** The application's deserializer; undefined for NestJS's own, whose work the batch does. */
  readonly deserializer: () => Deserializer | undefined;
  /** The partition that an assignment is of. */
  readonly partitionOf: (slot: number) => ReplyPartition | undefined;
  /** Tells the core that nobody waits for a request's replies any more. */
  readonly cancel: (slot: number, generation: number) => void;
  /** Takes what a callback throws. */
  readonly logError: (error: unknown) => void;
}

/** Hands replies, and what comes instead of them, to the callbacks of the requests. */
export class Replies {
  readonly #options: RepliesOptions;

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  /** Replies have come. */
  accept(batch: IncomingBatch): void {
    const { pending, keepBinary } = this.#options;
    const deserializer = this.#options.deserializer();
    for (let index = 0; index < batch.length; index++) {
      const slot = batch.requestSlot(index);
      const generation = batch.requestGeneration(index);
      const callback = pending.find(slot, generation);
      if (callback === undefined) continue;
      if (deserializer !== undefined) {
        own(this.#deserialize(deserializer, batch, index, callback), (error) =>
          this.fail(slot, generation, error),
        );
        continue;
      }
      const flags = batch.flags(index);
      if ((flags & REPLY_ERROR) !== 0) {
        this.#settle(slot, generation, callback, { err: batch.replyError(index), isDisposed: true });
        continue;
      }
      const response = keepBinary ? batch.value(index) : batch.decodedValue(index);
      this.#settle(slot, generation, callback, { response, isDisposed: (flags & REPLY_DISPOSED) !== 0 });
    }
  }

  async #deserialize(
    deserializer: Deserializer,
    batch: IncomingBatch,
    index: number,
    callback: ReplyCallback,
  ): Promise<void> {
    const [slot, generation] = [batch.requestSlot(index), batch.requestGeneration(index)];
    try {
      const { partitionOf, keepBinary } = this.#options;
      const { topic, partition } = partitionOf(batch.slot(index)) ?? { topic: '', partition: -1 };
      const message = incomingMessage(batch, index, topic, partition, keepBinary);
      const packet: any = await deserializer.deserialize(message);
      const { err, response, isDisposed } = packet;
      this.#settle(slot, generation, callback, { err, response, isDisposed: Boolean(err) || isDisposed });
    } catch (err) {
      this.#settle(slot, generation, callback, { err, isDisposed: true });
    }
  }

  #settle(slot: number, generation: number, callback: ReplyCallback, packet: WritePacket): void {
    if (packet.err || packet.isDisposed) this.#options.pending.close(slot, generation);
    const { err, response, isDisposed } = packet;
    this.call(callback, err || isDisposed ? { err, response, isDisposed } : { err, response });
  }

  /** Only these reply partitions are read from now on: what waits for replies elsewhere has lost them. */
  moved(read: readonly ReplyPartition[]): void {
    const { pending } = this.#options;
    for (const [slot, generation] of pending.elsewhere(read)) {
      const { topic, partition } = pending.origin(slot, generation) as ReplyPartition;
      const reason = 'the partition has moved to another member of the group';
      this.fail(slot, generation, new KafkaReplyLostError({ topic, partition, reason }));
    }
  }

  /** Replies have not come in time. */
  expired(requests: readonly [slot: number, generation: number][]): void {
    const { pending, replyTimeout: timeout } = this.#options;
    for (const [slot, generation] of requests) {
      const origin = pending.origin(slot, generation);
      if (origin === undefined || timeout === undefined) continue;
      const { topic, partition } = origin;
      this.fail(slot, generation, new KafkaReplyTimeoutError({ topic, partition, timeout }));
    }
  }

  /** Ends a request with an error, if it still waits. */
  fail(slot: number, generation: number, err: unknown): void {
    const callback = this.#options.pending.find(slot, generation);
    if (callback === undefined) return;
    this.forget(slot, generation);
    this.call(callback, { err });
  }

  /** Nobody waits for a request's replies any more. */
  forget(slot: number, generation: number): void {
    if (this.#options.pending.close(slot, generation)) this.#options.cancel(slot, generation);
  }

  /** Errors all requests that wait. */
  end(err: Error): void {
    for (const callback of this.#options.pending.drain()) this.call(callback, { err });
  }

  /** A failing callback must keep neither the others from being called nor the connection from being closed. */
  call(callback: ReplyCallback, packet: WritePacket): void {
    try {
      callback(packet);
    } catch (error) {
      this.#options.logError(error);
    }
  }
}
