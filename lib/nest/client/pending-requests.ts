import type { WritePacket } from '@nestjs/microservices';
import type { TracedRequest } from '../../kafkajs/types/index.js';
import { traceRequestEnd, type TraceableRequest } from './traced-requests.js';
import { isolated, type OwnContext } from '../../application/async-context.js';
import { EmptyContexts } from '../../application/empty-contexts.js';

/** NestJS's callback of a request. */
export type ReplyCallback = (packet: WritePacket) => void;

/** Where a request's replies arrive. */
export interface ReplyPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The partition of a request that has none and will fail. */
export const NO_PARTITION = -1;

/** A reply that is traced while the application handles it. It belongs to that call alone: the request may end by something else. */
interface TracedReply {
  trace(call: () => void): void;
}

/** Where replies are delivered to subscribers with an empty async context. */
const EMPTY = new EmptyContexts();

/** A pending request. It keeps the async context of its subscriber, in which replies are delivered. It is made after an `await`. */
export class PendingRequest implements ReplyPartition, TraceableRequest {
  /** The topic that the request was sent to. */
  readonly asked: string;
  readonly topic: string;
  readonly partition: number;
  /**
   * Resolves when all replies that are being deserialized were passed to the subscriber; undefined if there are none.
   */
  deserialized: Promise<void> | undefined;
  /** The time-out while the first reply is being deserialized. */
  timer: NodeJS.Timeout | undefined;
  /** Whether a reply was passed to the subscriber. */
  isAnswered = false;
  /** The tracing context of the request, if it is traced. */
  traced: TracedRequest | undefined;
  /** The subscriber's context; undefined if it is empty, because a resource would be a fiftieth of the cost of a request. */
  readonly #context: OwnContext | undefined = EMPTY.unlessEmpty();
  readonly #callback: ReplyCallback;

  constructor(asked: string, { topic, partition }: ReplyPartition, callback: ReplyCallback) {
    this.asked = asked;
    this.topic = topic;
    this.partition = partition;
    this.#callback = callback;
  }

  /** Calls back with the last reply, which `reply` is if that is traced, or with an error instead. */
  last(packet: WritePacket, reply?: TracedReply): void {
    if (this.timer !== undefined) clearTimeout(this.timer);
    const callback = this.#callback;
    if (this.traced === undefined && reply === undefined) this.#run(callback, packet);
    else {
      this.#run((told) => {
        traceRequestEnd(this, told);
        if (reply === undefined) callback(told);
        else reply.trace(() => callback(told));
      }, packet);
    }
  }

  /**
   * Calls back with a reply that is not the last, which `reply` is if that is traced; stores that the callback enters do not affect
   * later replies.
   */
  next(packet: WritePacket, reply?: TracedReply): void {
    clearTimeout(this.timer);
    this.isAnswered = true;
    if (this.traced !== undefined) this.traced.isReplied = true;
    if (reply === undefined) this.aside(() => this.#callback(packet));
    else this.aside(() => reply.trace(() => this.#callback(packet)));
  }

  /** Runs something in a copy of the request's context. */
  aside<R>(call: () => R): R {
    return this.#run(isolated<R>, call);
  }

  #run<A, R>(call: (argument: A) => R, argument: A): R {
    const context = this.#context;
    if (context !== undefined) return context.runInAsyncScope(call, undefined, argument);
    return EMPTY.run(call, argument);
  }
}

/** The pending requests by slot. A slot's generation distinguishes its uses: the core drops replies to earlier ones. */
export class PendingRequests {
  readonly #requests: (PendingRequest | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #count = 0;

  /** Number of pending requests. */
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

  /** The current generation of a slot. */
  generation(slot: number): number {
    return this.#generations[slot] as number;
  }

  /** The requests whose replies would arrive on other partitions than these, as slots and generations. */
  elsewhere(partitions: readonly ReplyPartition[]): [slot: number, generation: number][] {
    const read = new Set(partitions.map(({ topic, partition }) => `${topic}:${partition}`));
    const lost: [number, number][] = [];
    this.#requests.forEach((request, slot) => {
      if (request === undefined || request.partition === NO_PARTITION) return;
      if (!read.has(`${request.topic}:${request.partition}`)) lost.push([slot, this.generation(slot)]);
    });
    return lost;
  }

  /** A request that is still pending. */
  find(slot: number, generation: number): PendingRequest | undefined {
    return this.#generations[slot] === generation ? this.#requests[slot] : undefined;
  }

  /** Frees a slot; false if the request has ended already. */
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

  /** Frees all slots and returns their requests. */
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
