import type { WritePacket } from '@nestjs/microservices';

/** NestJS's callback of a request. */
export type ReplyCallback = (packet: WritePacket) => void;

/** Where a request's replies arrive. */
export interface ReplyPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Where a request went, and where its replies arrive. */
export interface RequestOrigin extends ReplyPartition {
  /** The topic that was asked. */
  readonly asked: string;
}

/** The requests that wait for replies, by slot. A slot's generation tells its uses apart: the core forgets replies of earlier ones. */
export class PendingRequests {
  readonly #callbacks: (ReplyCallback | undefined)[] = [];
  readonly #origins: (RequestOrigin | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #count = 0;

  /** Requests that wait. */
  get size(): number {
    return this.#count;
  }

  /** Takes a slot for a request. */
  open(callback: ReplyCallback, origin: RequestOrigin): number {
    const slot = this.#free.pop() ?? this.#callbacks.length;
    this.#callbacks[slot] = callback;
    this.#origins[slot] = origin;
    this.#generations[slot] ??= 0;
    this.#count++;
    return slot;
  }

  /** The generation that the slot is in. */
  generation(slot: number): number {
    return this.#generations[slot] as number;
  }

  /** Where a request that still waits went, and where its replies arrive. */
  origin(slot: number, generation: number): RequestOrigin | undefined {
    return this.#generations[slot] === generation ? this.#origins[slot] : undefined;
  }

  /** Those that wait for replies that arrive elsewhere than there, as slots and generations. */
  elsewhere(partitions: readonly ReplyPartition[]): [slot: number, generation: number][] {
    const read = new Set(partitions.map(({ topic, partition }) => `${topic}:${partition}`));
    const lost: [number, number][] = [];
    this.#origins.forEach((origin, slot) => {
      if (origin !== undefined && !read.has(`${origin.topic}:${origin.partition}`)) {
        lost.push([slot, this.generation(slot)]);
      }
    });
    return lost;
  }

  /** The callback of a request that still waits. */
  find(slot: number, generation: number): ReplyCallback | undefined {
    return this.#generations[slot] === generation ? this.#callbacks[slot] : undefined;
  }

  /** Gives a slot back; false when the request was over already. */
  close(slot: number, generation: number): boolean {
    if (this.find(slot, generation) === undefined) return false;
    this.#callbacks[slot] = undefined;
    this.#origins[slot] = undefined;
    this.#generations[slot] = (generation + 1) >>> 0;
    this.#free.push(slot);
    this.#count--;
    return true;
  }

  /** Gives all slots back and answers their callbacks. */
  drain(): ReplyCallback[] {
    const callbacks: ReplyCallback[] = [];
    this.#callbacks.forEach((callback, slot) => {
      if (callback === undefined) return;
      callbacks.push(callback);
      this.close(slot, this.generation(slot));
    });
    return callbacks;
  }
}
