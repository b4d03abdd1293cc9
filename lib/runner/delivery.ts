import type { IncomingBatch } from '../codec/incoming.js';
import { LONGEST_TIMER } from '../values/longest-timer.js';

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

/**
 * One delivery of a record and its state, for partitions whose records are not simply handled one after the other. When the
 * record comes again, that is another delivery: a context that a handler has kept has no effect on it.
 */
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
  /** Number of failed deliveries in a row that do not count. */
  waits = 0;
  /** The time before which it is not handled, by `performance.now()`; 0 for none. */
  restsUntil = 0;
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

  /** The record's next delivery, to take the place of this one, which is over. */
  again(): this {
    const again = new (this.constructor as new (...of: ConstructorParameters<typeof Delivery>) => this)(
      this.#owner,
      this.batch,
      this.index,
    );
    again.lane = this.lane;
    again.failures = this.failures;
    again.retries = this.retries;
    again.retryTime = this.retryTime;
    again.waits = this.waits;
    again.restsUntil = this.restsUntil;
    again.replies = this.replies;
    this.state = 'over';
    return again;
  }

  ack(): boolean {
    return this.#owner.ack(this);
  }

  nack(delay: number): boolean {
    return this.#owner.nack(this, delay);
  }

  /** How long it is not to be handled yet, in milliseconds. */
  get rest(): number {
    return this.restsUntil === 0 ? 0 : Math.max(this.restsUntil - performance.now(), 0);
  }

  /** Makes it wait, in milliseconds from now. */
  restFor(milliseconds: number): void {
    this.restsUntil = performance.now() + milliseconds;
  }

  /** Whether it was written before another one of its partition. */
  isBefore(other: Delivery): boolean {
    // Sequences begin again at 0 after 2^32.
    return ((this.batch.sequence(this.index) - other.batch.sequence(other.index)) | 0) < 0;
  }
}

/**
 * Calls `then` when a rest of so many milliseconds is over, or as much of it as a timer can wait; undefined, and never, if that has
 * no end.
 */
export function restTimer(milliseconds: number, then: () => void): NodeJS.Timeout | undefined {
  if (milliseconds === Number.POSITIVE_INFINITY) return undefined;
  return setTimeout(then, Math.min(Math.ceil(milliseconds), LONGEST_TIMER));
}

/** The records of a partition that are handled one after the other. */
export class Lane {
  /** The hash of their key; undefined for the lane of a single record. */
  readonly unit: number | undefined;
  /** Whether a handler is running, or the first record may be handled or rests. */
  isBusy = true;
  /** Whether it waits for the time of its first record. */
  isResting = false;
  #first: Delivery | undefined;
  #last: Delivery | undefined;
  /** The record that was inserted last. */
  #inserted: Delivery | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(unit: number | undefined) {
    this.unit = unit;
  }

  /** Whether the first record has to wait. */
  get isToRest(): boolean {
    return this.#first !== undefined && this.#first.rest > 0;
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

  /** Adds a record that comes again in its place: before those that were written after it. */
  insert(delivery: Delivery): void {
    const inserted = this.#inserted;
    this.#inserted = delivery;
    // Mostly many are refused one after the other in their order: each comes right behind the one before it.
    const isKnown = inserted?.state === 'waiting' && inserted.lane === this && inserted.isBefore(delivery);
    let before = isKnown ? inserted : undefined;
    let next = before === undefined ? this.#first : before.next;
    while (next !== undefined && next.isBefore(delivery)) {
      before = next;
      next = next.next;
    }
    delivery.next = next;
    if (before === undefined) this.#first = delivery;
    else before.next = delivery;
    if (next === undefined) this.#last = delivery;
  }

  /** Takes out a record that is in it. */
  remove(delivery: Delivery): void {
    let before: Delivery | undefined;
    for (let at = this.#first; at !== delivery && at !== undefined; at = at.next) before = at;
    if (before === undefined) this.#first = delivery.next;
    else before.next = delivery.next;
    if (this.#last === delivery) this.#last = before;
    if (this.#inserted === delivery) this.#inserted = undefined;
    delivery.next = undefined;
  }

  shift(): Delivery | undefined {
    const delivery = this.#first;
    if (delivery === undefined) return undefined;
    this.#first = delivery.next;
    if (this.#first === undefined) this.#last = undefined;
    delivery.next = undefined;
    return delivery;
  }

  /** Rests until its first record may be handled, then calls `then`; false if no rest is needed. */
  rest(then: () => void): boolean {
    clearTimeout(this.#timer);
    const left = this.#first === undefined ? 0 : this.#first.rest;
    this.isResting = left > 0;
    if (this.isResting) this.#timer = restTimer(left, then);
    return this.isResting;
  }

  /** Stops resting for good. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#first = undefined;
    this.#last = undefined;
    this.#inserted = undefined;
  }
}
