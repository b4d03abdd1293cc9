import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import { ignore, own } from '../../application/callbacks.js';
import { messageOf } from '../../values/describe.js';
import { aside, currentVerdict, type Said } from '../context/verdict.js';
import { KafkaIdempotencyException } from './exception.js';
import { IDEMPOTENT } from './mark.js';
import type { Claim, IdempotencyStore } from './store.js';

/** Default of `lease`, in milliseconds: a minute. */
const DEFAULT_LEASE = 60_000;
/** Default of `ttl`, in milliseconds: a day. */
const DEFAULT_TTL = 86_400_000;
/** So many characters of a key are in errors and logs. */
const LONGEST_TOLD = 200;
/** So many keys are kept that were handled while the store was away; their messages are in hand, so that they are few. */
const MOST_UNSAVED = 1000;

/** Options of {@link Idempotent}. */
export interface IdempotentOptions<Args extends any[] = any[]> {
  /**
   * Returns the key that identifies a message, from the handler's arguments. Messages with equal keys are handled
   * once. Handlers that share a store share its keys.
   */
  key: (...args: Args) => string;
  /** How long handled keys are remembered. A number of milliseconds. Default: a day. */
  ttl?: number;
  /**
   * How long a handler may take before another may begin with the same message. A number of milliseconds. Default: a
   * minute.
   */
  lease?: number;
  /** The store of handled keys. */
  store: IdempotencyStore;
}

/**
 * Handles messages with equal keys only once, even if a producer has sent them again. The handler is not called for a
 * message that was handled already: an event counts as handled, a request gets the same reply again. While one
 * message with a key is being handled, others are redelivered later.
 *
 * A message that its handler refuses with `nack()` gives its key back, as one does whose handler fails. With `ack: 'manual'` the key is
 * done at `ack()`, so that `lease` has to be longer than a message may wait for it; a message that was handled already is acknowledged. Handlers
 * of batches and transactional ones are refused at `listen()`.
 *
 * What it does not promise: if a process dies after the handler's effect and before the store knows it, the handler
 * runs again when the lease is over. If the effect is in the same database as the store, write both in one
 * transaction instead.
 *
 * @throws TypeError at decoration, for invalid options
 */
export function Idempotent<Args extends any[] = any[]>(options: IdempotentOptions<Args>): MethodDecorator {
  const { key, store, ttl = DEFAULT_TTL, lease = DEFAULT_LEASE } = options;
  if (typeof key !== 'function') throw new TypeError('@Idempotent needs a function as key');
  if (typeof store?.claim !== 'function') throw new TypeError('@Idempotent needs a store');
  for (const [name, time] of Object.entries({ ttl, lease })) {
    // A store may take whole milliseconds alone, and one that takes none remembers nothing.
    if (!Number.isSafeInteger(time) || time < 1) {
      throw new TypeError(`${name} of @Idempotent must be a whole number of milliseconds, at least 1`);
    }
  }
  return (_target, _name, descriptor: PropertyDescriptor) => {
    const handle = descriptor.value as (...args: unknown[]) => unknown;
    const keys = new HandledKeys(store, ttl, lease);
    async function once(this: unknown, ...args: Args): Promise<unknown> {
      const verdict = currentVerdict();
      const name = key.apply(this, args);
      if (typeof name !== 'string' || name === '') {
        throw new TypeError('The key of @Idempotent must be a text that is not empty');
      }
      const claim = await keys.claim(name);
      if (claim.state === 'done') {
        verdict?.finish();
        return claim.result;
      }
      let result: unknown;
      try {
        result = await aside(() => handle.apply(this, args));
        if (isObservable(result)) {
          result = await lastValueFrom(result as Observable<unknown>, { defaultValue: undefined });
        }
      } catch (error) {
        // What was acknowledged does not come again for its error.
        await keys.settle(verdict?.said ?? 'refused', name, undefined, claim).catch(ignore);
        throw error;
      }
      const said = verdict?.said ?? (verdict?.isManual ? undefined : 'acked');
      if (said !== undefined) await keys.settle(said, name, result, claim);
      // The message waits for its acknowledgement, and so does its key.
      else verdict?.whenSaid((later) => own(keys.settle(later, name, result, claim), ignore));
      return result;
    }
    // NestJS's decorators store metadata on the function itself, so it is copied to the new function.
    for (const known of Reflect.getMetadataKeys(handle) as unknown[]) {
      Reflect.defineMetadata(known, Reflect.getMetadata(known, handle), once);
    }
    Reflect.defineMetadata(IDEMPOTENT, true, once);
    Object.defineProperty(once, 'name', { value: handle.name, configurable: true });
    descriptor.value = once;
  };
}

/** What was handled and the store does not know yet. */
interface Unsaved {
  readonly result: unknown;
  readonly claim: Claim;
  /** When it is forgotten, by `performance.now()`. */
  readonly until: number;
}

/** The keys of a handler, in a store that may be away. */
class HandledKeys {
  readonly #store: IdempotencyStore;
  readonly #ttl: number;
  readonly #lease: number;
  /**
   * What was handled and the store could not be told of: their messages come again, and must not be handled for that. The oldest are
   * the first.
   */
  readonly #unsaved = new Map<string, Unsaved>();

  constructor(store: IdempotencyStore, ttl: number, lease: number) {
    this.#store = store;
    this.#ttl = ttl;
    this.#lease = lease;
  }

  /** Claims a key, or answers that it is done. */
  async claim(key: string): Promise<Claim> {
    if (this.#unsaved.size > 0) this.#forget();
    const unsaved = this.#unsaved.get(key);
    if (unsaved !== undefined) {
      await this.#save(key, unsaved);
      return { state: 'done', result: unsaved.result };
    }
    let claim: Claim;
    try {
      claim = await this.#store.claim(key, this.#lease);
    } catch (error) {
      throw this.#failed(key, error);
    }
    if (claim.state !== 'busy') return claim;
    throw new KafkaIdempotencyException(`${shortened(key)} is being handled already`, key, 'busy');
  }

  /** What the handler has said of the message decides: it is done, or may be claimed again. */
  settle(said: Said, key: string, result: unknown, claim: Claim): Promise<void> {
    return said === 'acked' ? this.done(key, result, claim) : this.release(key, claim);
  }

  done(key: string, result: unknown, claim: Claim): Promise<void> {
    return this.#save(key, { result, claim, until: performance.now() + this.#ttl });
  }

  async #save(key: string, handled: Unsaved): Promise<void> {
    const left = Math.max(Math.round(handled.until - performance.now()), 1);
    try {
      await this.#store.done(key, left, handled.result, handled.claim);
      this.#unsaved.delete(key);
    } catch (error) {
      if (this.#unsaved.get(key) !== handled) this.#remember(key, handled);
      throw this.#failed(key, error);
    }
  }

  #remember(key: string, handled: Unsaved): void {
    this.#unsaved.delete(key);
    const [oldest] = this.#unsaved.keys();
    if (this.#unsaved.size >= MOST_UNSAVED) this.#unsaved.delete(oldest as string);
    this.#unsaved.set(key, handled);
  }

  /** Forgets what the store would have forgotten by now. */
  #forget(): void {
    const now = performance.now();
    for (const [key, { until }] of this.#unsaved) {
      if (until > now) return;
      this.#unsaved.delete(key);
    }
  }

  /** What the handler has failed with is to be told, not what the store says: the claim ends by itself. */
  async release(key: string, claim: Claim): Promise<void> {
    try {
      await this.#store.release(key, claim);
    } catch {
      // Whoever wants the key next is told of a store that is away.
    }
  }

  #failed(key: string, cause: unknown): KafkaIdempotencyException {
    const [why, name] = [messageOf(cause), shortened(key)];
    return isAway(this.#store, cause)
      ? new KafkaIdempotencyException(
          `The store of @Idempotent has failed for ${name}: ${why}`,
          key,
          'store',
          cause,
        )
      : new KafkaIdempotencyException(
          `The store of @Idempotent has refused ${name}: ${why}`,
          key,
          'key',
          cause,
        );
  }
}

/** A key as it is told of. */
function shortened(key: string): string {
  return key.length > LONGEST_TOLD ? `${key.slice(0, LONGEST_TOLD)}…` : key;
}

/** Whether a store could not be asked; one that cannot say so is waited for. */
function isAway(store: IdempotencyStore, error: unknown): boolean {
  try {
    return store.isAway?.(error) !== false;
  } catch {
    return true;
  }
}
