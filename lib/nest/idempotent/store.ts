/** A store's answer to a claim. */
export interface Claim {
  /**
   * `claimed`: the caller may handle the message. `busy`: another handler is handling it, or its process died; that
   * claim expires by itself. `done`: it was handled.
   */
  readonly state: 'claimed' | 'busy' | 'done';
  /** The handler's result, for `done`. */
  readonly result?: unknown;
  /** What the store knows a claim by: `done()` and `release()` get the claim back that `claim()` has answered. */
  readonly token?: string;
}

/**
 * Where {@link Idempotent} remembers handled messages. Each method has to be atomic over all processes that share the
 * store.
 */
export interface IdempotencyStore {
  /** Claims a key for `lease` milliseconds, unless it is claimed or done. */
  claim(key: string, lease: number): Promise<Claim> | Claim;
  /**
   * Marks a claimed key as handled, for `ttl` milliseconds, even if the claim has expired. `result` is whatever the
   * handler has answered: `claim()` gives it back so that a reply of it has the same bytes, or undefined.
   */
  done(key: string, ttl: number, result: unknown, claim?: Claim): Promise<void> | void;
  /**
   * Whether a failure of the store says nothing of the key, so that its message waits; a failure that does is one of the message,
   * and counts for `deadLetter` and `retry.retries`. Without it every failure is a reason to wait.
   */
  isAway?(error: unknown): boolean;
  /** The handler has failed: the key may be claimed again, unless another claim holds it by now. */
  release(key: string, claim?: Claim): Promise<void> | void;
}

/** How many entries are checked for expiry when one is added. */
const SWEPT = 4;

interface Entry {
  readonly until: number;
  /** What others are told. */
  readonly claim: Claim;
  /** What the one who has claimed it was told. */
  readonly own?: Claim;
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
    const own: Claim = { state: 'claimed' };
    this.#put(key, { until: this.#now() + lease, claim: { state: 'busy' }, own });
    return own;
  }

  done(key: string, ttl: number, result: unknown): void {
    this.#put(key, { until: this.#now() + ttl, claim: { state: 'done', result } });
  }

  release(key: string, claim?: Claim): void {
    if (claim === undefined || this.#entries.get(key)?.own === claim) this.#entries.delete(key);
  }

  #put(key: string, entry: Entry): void {
    // Added at the end: the oldest are checked first.
    this.#entries.delete(key);
    let left = SWEPT;
    for (const [old, { until }] of this.#entries) {
      if (left-- === 0 || until > this.#now()) break;
      this.#entries.delete(old);
    }
    this.#entries.set(key, entry);
  }
}
