import { KafkaRetriableException } from '@nestjs/microservices';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import type { IdempotencyStore } from './store.js';

/** Default of `lease`, in milliseconds: a minute. */
const DEFAULT_LEASE = 60_000;
/** Default of `ttl`, in milliseconds: a day. */
const DEFAULT_TTL = 86_400_000;

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
  return (_target, _name, descriptor: PropertyDescriptor) => {
    const handle = descriptor.value as (...args: unknown[]) => unknown;
    async function once(this: unknown, ...args: Args): Promise<unknown> {
      const name = key.apply(this, args);
      if (typeof name !== 'string' || name === '') {
        throw new TypeError('The key of @Idempotent must be a text that is not empty');
      }
      const claim = await store.claim(name, lease);
      if (claim.state === 'done') return claim.result;
      if (claim.state === 'busy') throw new KafkaRetriableException(`${name} is being handled already`);
      let result: unknown;
      try {
        result = await handle.apply(this, args);
        if (isObservable(result)) {
          result = await lastValueFrom(result as Observable<unknown>, { defaultValue: undefined });
        }
      } catch (error) {
        await store.release(name);
        throw error;
      }
      await store.done(name, ttl, result);
      return result;
    }
    // NestJS's decorators store metadata on the function itself, so it is copied to the new function.
    for (const known of Reflect.getMetadataKeys(handle) as unknown[]) {
      Reflect.defineMetadata(known, Reflect.getMetadata(known, handle), once);
    }
    Object.defineProperty(once, 'name', { value: handle.name, configurable: true });
    descriptor.value = once;
  };
}
