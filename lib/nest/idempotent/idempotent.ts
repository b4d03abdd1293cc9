import { KafkaRetriableException } from '@nestjs/microservices';
import { isObservable, lastValueFrom, type Observable } from 'rxjs';
import type { IdempotencyStore } from './store.js';

/** How long a claim lasts whose process has died, in milliseconds. */
const DEFAULT_LEASE = 60_000;
/** How long is remembered what has been handled, in milliseconds: a day. */
const DEFAULT_TTL = 86_400_000;

/** What makes a handler's messages the same, and where it is remembered. */
export interface IdempotentOptions<Args extends any[] = any[]> {
  /** What messages have in common that are one: it gets what the handler gets. Text; of other handlers' too, where they share a store. */
  key: (...args: Args) => string;
  /** How long is remembered what has been handled. A number of milliseconds. Default: a day. */
  ttl?: number;
  /** How long a handler may take, before another may begin with the same message. A number of milliseconds. Default: a minute. */
  lease?: number;
  /** Where it is remembered. */
  store: IdempotencyStore;
}

/**
 * Has a handler run once for messages that are one, whoever sends them again. The handler is not called for a message that was handled
 * already: an event counts as handled, a request is answered as before. While one is at it, others come again later.
 *
 * What it does not promise: a process that dies behind the handler's effect and before the store knows runs it again, when its claim
 * is over. Where the effect is in the database of the store, write both in one transaction instead.
 *
 * @throws TypeError at once for options that are none
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
    // NestJS keeps what its decorators say at the function itself, and those above this one see the new one.
    for (const known of Reflect.getMetadataKeys(handle) as unknown[]) {
      Reflect.defineMetadata(known, Reflect.getMetadata(known, handle), once);
    }
    Object.defineProperty(once, 'name', { value: handle.name, configurable: true });
    descriptor.value = once;
  };
}
