import type { WritePacket } from '@nestjs/microservices';
import type { TracedRequest } from '../../kafkajs/types/index.js';
import { traceRequestEnd, type TraceableRequest } from './traced-requests.js';
import { isolated, OwnContext } from '../../application/async-context.js';

/** NestJS's callback of a request. */
export type ReplyCallback = (packet: WritePacket) => void;

/** Where a request's replies arrive. */
export interface ReplyPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The partition of a request that has none, and is soon told so. */
export const NO_PARTITION = -1;

/** A reply whose way to the application is traced. */
interface TracedReply {
  trace(call: () => void): void;
}

/** A request that waits for replies. It is made in the async context of its subscriber, which its replies come to. */
export class PendingRequest extends OwnContext implements ReplyPartition, TraceableRequest {
  /** The topic that was asked. */
  readonly asked: string;
  readonly topic: string;
  readonly partition: number;
  /** Resolves when all replies that are being deserialized have been handed on; absent when there are none. */
  deserialized: Promise<void> | undefined;
  /** Runs while the first reply is being deserialized. */
  timer: NodeJS.Timeout | undefined;
  /** A reply has been handed on. */
  isAnswered = false;
  /** What those who trace requests were told of this one. */
  traced: TracedRequest | undefined;
  /** The reply that is handed on, where that is traced. */
  reply: TracedReply | undefined;
  readonly #callback: ReplyCallback;

  constructor(asked: string, { topic, partition }: ReplyPartition, callback: ReplyCallback) {
    super();
    this.asked = asked;
    this.topic = topic;
    this.partition = partition;
    this.#callback = callback;
  }

  /** Calls back with the last reply, or with what comes instead of it. */
  last(packet: WritePacket): void {
    if (this.timer !== undefined) clearTimeout(this.timer);
    if (this.traced !== undefined || this.reply !== undefined) {
      this.runInAsyncScope(this.#traced, this, packet);
    } else this.runInAsyncScope(this.#callback, undefined, packet);
  }

  #traced(packet: WritePacket): void {
    traceRequestEnd(this, packet);
    const { reply } = this;
    if (reply === undefined) this.#callback(packet);
    else reply.trace(() => this.#callback(packet));
  }

  /** Calls back with a reply that others follow: what it enters is not there for them. */
  next(packet: WritePacket): void {
    clearTimeout(this.timer);
    this.isAnswered = true;
    if (this.traced !== undefined) this.traced.isReplied = true;
    const { reply } = this;
    if (reply === undefined) this.aside(() => this.#callback(packet));
    else this.aside(() => reply.trace(() => this.#callback(packet)));
  }

  /** Runs something in a copy of the request's context. */
  aside<R>(call: () => R): R {
    return this.runInAsyncScope(() => isolated(call));
  }
}

/** The requests that wait for replies, by slot. A slot's generation tells its uses apart: the core forgets replies of earlier ones. */
export class PendingRequests {
  readonly #requests: (PendingRequest | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #count = 0;

  /** Requests that wait. */
  get size(): number {
    return this.#count;
  }

  /** Takes a slot for a request. */
  open(request: PendingRequest): number {
    const slot = this.#free.pop() ?? this.#requests.length;
    this.#requests[slot] = request;
    this.#generations[slot] ??= 0;
    this.#count++;
    return slot;
  }

  /** The generation that the slot is in. */
  generation(slot: number): number {
    return this.#generations[slot] as number;
  }

  /** Those that wait for replies that arrive elsewhere than there, as slots and generations. */
  elsewhere(partitions: readonly ReplyPartition[]): [slot: number, generation: number][] {
    const read = new Set(partitions.map(({ topic, partition }) => `${topic}:${partition}`));
    const lost: [number, number][] = [];
    this.#requests.forEach((request, slot) => {
      if (request === undefined || request.partition === NO_PARTITION) return;
      if (!read.has(`${request.topic}:${request.partition}`)) lost.push([slot, this.generation(slot)]);
    });
    return lost;
  }

  /** A request that still waits. */
  find(slot: number, generation: number): PendingRequest | undefined {
    return this.#generations[slot] === generation ? this.#requests[slot] : undefined;
  }

  /** Gives a slot back; false when the request was over already. */
  close(slot: number, generation: number): boolean {
    const request = this.find(slot, generation);
    if (request === undefined) return false;
    clearTimeout(request.timer);
    this.#requests[slot] = undefined;
    this.#generations[slot] = (generation + 1) >>> 0;
    this.#free.push(slot);
    this.#count--;
    return true;
  }

  /** Gives all slots back and answers their requests. */
  drain(): PendingRequest[] {
    const requests: PendingRequest[] = [];
    this.#requests.forEach((request, slot) => {
      if (request === undefined) return;
      requests.push(request);
      this.close(slot, this.generation(slot));
    });
    return requests;
  }
}
