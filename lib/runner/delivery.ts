import type { IncomingBatch } from '../codec/incoming.js';

/** What a handler can do with its record. */
export interface Acknowledging {
  /** Acknowledges the record; false if it was acknowledged or refused before, or its partition was revoked. */
  ack(): boolean;
  /** Refuses the record: it is redelivered after `delay` milliseconds; false as for {@link ack}. */
  nack(delay: number): boolean;
  /** Whether it was acknowledged while its handler was running. */
  readonly isAcked: boolean;
  /** The delay of a `nack()` in milliseconds, which takes effect when its handler has ended. */
  readonly nackedFor: number | undefined;
  /** The transaction of the record, if it is handled in one. */
  readonly transaction?: unknown;
}

/** The task that a delivery belongs to. */
export interface DeliveryOwner {
  ack(delivery: Delivery): boolean;
  nack(delivery: Delivery, delay: number): boolean;
}

/**
 * The state of a delivery: it waits for its turn (or rests after a failure); its handler is running; its handler has
 * ended and it waits for its acknowledgement; it is over.
 */
export type DeliveryState = 'waiting' | 'running' | 'handled' | 'over';

/** A record and the state of its delivery, for partitions whose records are not simply handled one after the other. */
export class Delivery implements Acknowledging {
  readonly #owner: DeliveryOwner;
  readonly batch: IncomingBatch;
  readonly index: number;
  /** The lane of records that it must not overtake; undefined if it waits for no other. */
  lane: Lane | undefined;
  /** The next one in its lane. */
  next: Delivery | undefined;
  state: DeliveryState = 'waiting';
  /** Number of failed deliveries of the record. */
  failures = 0;
  /** How many of them since the consumer's last start. */
  retries = 0;
  /** Wait before the next attempt, in milliseconds. */
  retryTime = 0;
  /** Whether it was acknowledged while its handler was running. */
  isAcked = false;
  /** The delay of a `nack()` in milliseconds, which takes effect when its handler has ended. */
  nackedFor: number | undefined;
  /** Number of replies to it; undefined while a handler streams them. */
  replies: number | undefined;

  constructor(owner: DeliveryOwner, batch: IncomingBatch, index: number) {
    this.#owner = owner;
    this.batch = batch;
    this.index = index;
  }

  ack(): boolean {
    return this.#owner.ack(this);
  }

  nack(delay: number): boolean {
    return this.#owner.nack(this, delay);
  }
}

/** The records of a partition that are handled one after the other. */
export class Lane {
  /** The hash of their key; undefined for the lane of a single record. */
  readonly unit: number | undefined;
  /** Whether a handler is running, or the first record rests. */
  isBusy = true;
  #first: Delivery | undefined;
  #last: Delivery | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The first record is not handled before this time. */
  #restsUntil = 0;

  constructor(unit: number | undefined) {
    this.unit = unit;
  }

  /** Whether the first record has to wait. */
  get isToRest(): boolean {
    return this.#restsUntil !== 0;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Adds a record at the end. */
  push(delivery: Delivery): void {
    if (this.#last === undefined) this.#first = delivery;
    else this.#last.next = delivery;
    this.#last = delivery;
  }

  /** Adds a record at the front. */
  unshift(delivery: Delivery): void {
    delivery.next = this.#first;
    this.#first = delivery;
    this.#last ??= delivery;
  }

  shift(): Delivery | undefined {
    const delivery = this.#first;
    if (delivery === undefined) return undefined;
    this.#first = delivery.next;
    if (this.#first === undefined) this.#last = undefined;
    delivery.next = undefined;
    return delivery;
  }

  /** Makes the first record wait, in milliseconds from now. */
  restFor(milliseconds: number): void {
    this.#restsUntil = Math.max(this.#restsUntil, performance.now() + milliseconds);
  }

  /** Rests as long as needed, then calls `then`; false if no rest is needed. */
  rest(then: () => void): boolean {
    const left = this.#restsUntil - performance.now();
    this.#restsUntil = 0;
    if (!(left > 0)) return false;
    this.#timer = setTimeout(then, Math.ceil(left));
    return true;
  }

  /** Stops resting for good. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#first = undefined;
    this.#last = undefined;
  }
}
