import type { IncomingBatch } from '../codec/incoming.js';

/** What a handler can tell of its record. */
export interface Acknowledging {
  /** The record is finished; false when it was told of before, or its partition is gone. */
  ack(): boolean;
  /** The record is to come again after so many milliseconds; false as above. */
  nack(delay: number): boolean;
  /** What the handler sends by, where that and the record belong to a transaction. */
  readonly transaction?: unknown;
}

/** Whose deliveries are told of. */
export interface DeliveryOwner {
  ack(delivery: Delivery): boolean;
  nack(delivery: Delivery, delay: number): boolean;
}

/**
 * Where a delivery stands: it waits for its turn (or rests after a failure); its handler runs; its handler has ended and it is yet to be
 * acknowledged; it is over.
 */
export type DeliveryState = 'waiting' | 'running' | 'handled' | 'over';

/** A record on its way through a handler, where records of a partition do not simply follow one another. */
export class Delivery implements Acknowledging {
  readonly #owner: DeliveryOwner;
  readonly batch: IncomingBatch;
  readonly index: number;
  /** The records that it must not overtake; none where it waits for no other. */
  lane: Lane | undefined;
  /** The one behind it in its lane. */
  next: Delivery | undefined;
  state: DeliveryState = 'waiting';
  /** How many deliveries of the record have failed. */
  failures = 0;
  /** How many of them since the consumer was last started. */
  retries = 0;
  /** Wait before the next attempt, in milliseconds. */
  retryTime = 0;
  /** It was acknowledged while its handler ran. */
  isAcked = false;
  /** It is to come again after so many milliseconds, when its handler has ended. */
  nackedFor: number | undefined;
  /** Replies to it; not known yet while a handler streams them. */
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
  /** What they have in common; undefined: it is of one record alone. */
  readonly unit: number | undefined;
  /** A handler runs, or the first record rests. */
  isBusy = true;
  #first: Delivery | undefined;
  #last: Delivery | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The first record is not handled before this time. */
  #restsUntil = 0;

  constructor(unit: number | undefined) {
    this.unit = unit;
  }

  /** The first record is to wait. */
  get isToRest(): boolean {
    return this.#restsUntil !== 0;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Behind those that wait. */
  push(delivery: Delivery): void {
    if (this.#last === undefined) this.#first = delivery;
    else this.#last.next = delivery;
    this.#last = delivery;
  }

  /** Before those that wait. */
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

  /** The first record is to wait so many milliseconds from now. */
  restFor(milliseconds: number): void {
    this.#restsUntil = Math.max(this.#restsUntil, performance.now() + milliseconds);
  }

  /** Rests as long as it is to; false when it need not. */
  rest(then: () => void): boolean {
    const left = this.#restsUntil - performance.now();
    this.#restsUntil = 0;
    if (!(left > 0)) return false;
    this.#timer = setTimeout(then, Math.ceil(left));
    return true;
  }

  /** Rests no more, and never comes to its turn. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#first = undefined;
    this.#last = undefined;
  }
}
