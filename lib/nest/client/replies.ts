import { isThenable } from '../../application/callbacks.js';
import type { Deserializer, WritePacket } from '@nestjs/microservices';
import { KafkaReplyLostError, KafkaReplyTimeoutError } from '../../kafkajs/errors/index.js';
import { REPLY_DISPOSED, REPLY_ERROR } from '../../boundary/incoming.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { incomingMessage } from '../context/incoming-message.js';
import { processTracing } from '../../kafkajs/instrumentation/channels.js';
import { LONGEST_TIMER } from '../../values/longest-timer.js';
import type { TracedProcess } from '../../kafkajs/types/index.js';
import { ReplyContext, traceRequestEnd } from './traced-requests.js';
import type { PendingRequest, PendingRequests, ReplyPartition } from './pending-requests.js';

/** What handling replies needs of the client. */
export interface RepliesOptions {
  readonly pending: PendingRequests;
  /** `parser.keepBinary`. */
  readonly keepBinary: boolean;
  /** `replyTimeout` in milliseconds, if it is set. */
  readonly replyTimeout: number | undefined;
  /** The application's deserializer; undefined for NestJS's own, which {@link IncomingBatch} replaces. */
  readonly deserializer: () => Deserializer | undefined;
  /** The partition that an assignment is of. */
  readonly partitionOf: (assignment: number) => ReplyPartition | undefined;
  /** The reply consumer's identity, for tracing. */
  readonly identity: () => Pick<TracedProcess, 'groupId' | 'clientId' | 'clusterId'>;
  /** Tells the core that a request no longer waits for replies. */
  readonly cancel: (slot: number, generation: number) => void;
  /** Logs what a callback throws. */
  readonly logError: (error: unknown) => void;
}

/** Passes replies, or errors instead of them, to the callbacks of the requests. */
export class Replies {
  readonly #options: RepliesOptions;

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  /** Replies have come. */
  accept(batch: IncomingBatch): void {
    const { pending, keepBinary } = this.#options;
    const deserializer = this.#options.deserializer();
    const isTraced = processTracing.hasSubscribers;
    for (let index = 0; index < batch.length; index++) {
      const slot = batch.requestSlot(index);
      const generation = batch.requestGeneration(index);
      const request = pending.find(slot, generation);
      if (request === undefined) continue;
      const reply = isTraced ? new ReplyContext(this.#options.identity(), request, batch, index) : undefined;
      if (deserializer !== undefined) {
        this.#deserialize(deserializer, batch, index, request, reply);
        continue;
      }
      const flags = batch.flags(index);
      if ((flags & REPLY_ERROR) !== 0) {
        const packet = { err: batch.replyError(index), isDisposed: true };
        this.#handOn(slot, generation, request, packet, reply);
        continue;
      }
      const response = keepBinary ? batch.value(index) : batch.decodedValue(index);
      const isDisposed = (flags & REPLY_DISPOSED) !== 0;
      this.#handOn(slot, generation, request, { response, isDisposed }, reply);
    }
  }

  /**
   * Calls the application's deserializer for a reply. The replies to one request are passed on in order, however long
   * each takes.
   */
  #deserialize(
    deserializer: Deserializer,
    batch: IncomingBatch,
    index: number,
    request: PendingRequest,
    reply: ReplyContext | undefined,
  ): void {
    const { pending, partitionOf, keepBinary } = this.#options;
    const [slot, generation] = [batch.requestSlot(index), batch.requestGeneration(index)];
    const { topic, partition } = partitionOf(batch.assignment(index)) ?? { topic: '', partition: -1 };
    const handOn = (packet: WritePacket): void => {
      // The request may have ended: unsubscribed, or by the reply before.
      if (pending.find(slot, generation) === request) this.#handOn(slot, generation, request, packet, reply);
    };
    let read: unknown;
    try {
      const message = incomingMessage(batch, index, topic, partition, keepBinary);
      read = request.aside(() => deserializer.deserialize(message));
      if (request.deserialized === undefined && !isThenable(read)) return handOn(replyOf(read));
    } catch (err) {
      if (request.deserialized === undefined) return handOn(failure(err));
      read = Promise.reject(err);
    }
    if (request.deserialized === undefined) this.#limit(slot, generation, request);
    const before = request.deserialized;
    const inOrder = async (): Promise<void> => {
      const packet = await packetOf(read);
      await before;
      if (request.deserialized === deserialized) request.deserialized = undefined;
      handOn(packet);
    };
    const deserialized = inOrder();
    request.deserialized = deserialized;
  }

  /**
   * Applies `replyTimeout` while the first reply is deserialized: for the core the request is answered when the reply
   * has arrived.
   */
  #limit(slot: number, generation: number, request: PendingRequest): void {
    const { replyTimeout } = this.#options;
    if (replyTimeout === undefined || request.isAnswered) return;
    // Longer than a timer can wait is as good as never: the reply is there.
    if (replyTimeout > LONGEST_TIMER) return;
    request.timer = setTimeout(() => this.expired([[slot, generation]]), replyTimeout);
  }

  #handOn(
    slot: number,
    generation: number,
    request: PendingRequest,
    packet: WritePacket,
    reply: ReplyContext | undefined,
  ): void {
    const { err, response, isDisposed } = packet;
    const isLast = Boolean(err) || Boolean(isDisposed);
    if (isLast) this.#options.pending.close(slot, generation);
    try {
      if (isLast) request.last({ err, response, isDisposed }, reply);
      else request.next({ err, response }, reply);
    } catch (error) {
      this.#options.logError(error);
    }
  }

  /** Only these reply partitions are read from now on: requests whose replies would arrive on others fail. */
  moved(read: readonly ReplyPartition[]): void {
    this.#lose(read, 'the partition has moved to another member of the group');
  }

  /** The reply consumer has stopped: all pending requests fail. */
  stopped(): void {
    this.#lose([], 'the consumer of the replies has stopped');
  }

  #lose(read: readonly ReplyPartition[], reason: string): void {
    const { pending } = this.#options;
    for (const [slot, generation] of pending.elsewhere(read)) {
      const request = pending.find(slot, generation);
      if (request === undefined) continue;
      const { topic, partition } = request;
      this.fail(slot, generation, new KafkaReplyLostError({ topic, partition, reason }));
    }
  }

  /** Requests have timed out. */
  expired(requests: readonly [slot: number, generation: number][]): void {
    const { pending, replyTimeout: timeout } = this.#options;
    for (const [slot, generation] of requests) {
      const request = pending.find(slot, generation);
      if (request === undefined || timeout === undefined) continue;
      const { topic, partition } = request;
      this.fail(slot, generation, new KafkaReplyTimeoutError({ topic, partition, timeout }));
    }
  }

  /** Fails a request, if it is still pending. */
  fail(slot: number, generation: number, err: unknown): void {
    const request = this.#options.pending.find(slot, generation);
    if (request === undefined) return;
    if (request.traced !== undefined) traceRequestEnd(request, { err });
    this.forget(slot, generation);
    this.#call(() => request.last({ err }));
  }

  /** Cancels a request: it no longer waits for replies. */
  forget(slot: number, generation: number): void {
    const request = this.#options.pending.find(slot, generation);
    if (!this.#options.pending.close(slot, generation)) return;
    this.#options.cancel(slot, generation);
    if (request?.traced !== undefined) traceRequestEnd(request, {});
  }

  /** Fails all pending requests. */
  end(err: Error): void {
    for (const request of this.#options.pending.drain()) this.#call(() => request.last({ err }));
  }

  /**
   * Logs exceptions of a callback, so that the other callbacks are called and the connection is closed all the same.
   */
  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#options.logError(error);
    }
  }
}

/** The packet from the application's deserializer. */
function replyOf(read: unknown): WritePacket {
  const { err, response, isDisposed } = read as WritePacket;
  return { err, response, isDisposed: Boolean(err) || Boolean(isDisposed) };
}

/** The same for a promise. */
async function packetOf(read: unknown): Promise<WritePacket> {
  try {
    return replyOf(await read);
  } catch (err) {
    return failure(err);
  }
}

function failure(err: unknown): WritePacket {
  return { err, isDisposed: true };
}
