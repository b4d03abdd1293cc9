/** A store's answer to a claim. */
export interface Claim {
  /**
   * `claimed`: the caller may handle the message. `busy`: another handler is handling it, or its process died; that
   * claim expires by itself. `done`: it was handled.
   */
  readonly state: 'claimed' | 'busy' | 'done';
  /** The handler's result, for `done`. */
  readonly result?: unknown;
}

/**
 * Where {@link Idempotent} remembers handled messages. Each method has to be atomic over all processes that share the
 * store.
 */
export interface IdempotencyStore {
  /** Claims a key for `lease` milliseconds, unless it is claimed or done. */
  claim(key: string, lease: number): Promise<Claim> | Claim;
  /** Marks a claimed key as handled, for `ttl` milliseconds. `result` is a JSON value, or undefined. */
  done(key: string, ttl: number, result: unknown): Promise<void> | void;
  /** The handler has failed: the key may be claimed again. */
  release(key: string): Promise<void> | void;
}

/** How many entries are checked for expiry when one is added. */
const SWEPT = 4;

interface Entry {
  readonly until: number;
  readonly claim: Claim;
}

/** A store in the memory of this process: for tests, and for duplicates within one process. */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  /** @param now the clock, in milliseconds; replaceable in tests */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Number of keys, expired ones that were not removed yet included. */
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
    // Added at the end: the oldest are checked first.
    this.#entries.delete(key);
    let left = SWEPT;
    for (const [old, { until }] of this.#entries) {
      if (left-- === 0 || until > this.#now()) break;
      this.#entries.delete(old);
    }
    this.#entries.set(key, { until: this.#now() + time, claim });
  }
}
