/** What a store answers to whoever wants to handle a message. */
export interface Claim {
  /**
   * `claimed`: it is yours, nobody has handled it, and nobody else is at it. `busy`: somebody is at it, or was when its process
   * died; the claim ends by itself. `done`: it has been handled.
   */
  readonly state: 'claimed' | 'busy' | 'done';
  /** What its handler has answered, when it is `done`. */
  readonly result?: unknown;
}

/** Where {@link Idempotent} remembers what has been handled. All three have to be atomic over all processes that share the store. */
export interface IdempotencyStore {
  /** Claims a key for `lease` milliseconds, unless it is claimed or done. */
  claim(key: string, lease: number): Promise<Claim> | Claim;
  /** The message of a claimed key is handled, which is remembered for `ttl` milliseconds. `result` is what JSON can hold, or undefined. */
  done(key: string, ttl: number, result: unknown): Promise<void> | void;
  /** The handler has failed: the key is nobody's again. */
  release(key: string): Promise<void> | void;
}

/** How many entries are looked at for being over, with each that is added. */
const SWEPT = 4;

interface Entry {
  readonly until: number;
  readonly claim: Claim;
}

/** A store in the memory of this process: for tests, and for repetitions within one process alone. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  /** @param now the clock, in milliseconds; a test may bring its own */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** How many keys it remembers; those that are over go with time. */
  get size(): number {
    return this.#entries.size;
  }

  claim(key: string, lease: number): Claim {
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > this.#now()) return known.claim;
    this.#put(key, lease, { state: 'busy' });
    return { state: 'claimed' };
  }

  done(key: string, ttl: number, result: unknown): void {
    this.#put(key, ttl, { state: 'done', result });
  }

  release(key: string): void {
    this.#entries.delete(key);
  }

  #put(key: string, time: number, claim: Claim): void {
    // Behind those that were there: the oldest are looked at first.
    this.#entries.delete(key);
    let left = SWEPT;
    for (const [old, { until }] of this.#entries) {
      if (left-- === 0 || until > this.#now()) break;
      this.#entries.delete(old);
    }
    this.#entries.set(key, { until: this.#now() + time, claim });
  }
}
