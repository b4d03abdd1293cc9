/**
 * A store of `@Idempotent` in Redis, over a client of `ioredis` or `redis`, one of which the application installs: nothing of either is
 * loaded here.
 *
 * @packageDocumentation
 */
export {
  RedisIdempotencyStore,
  type IoRedisLike,
  type NodeRedisLike,
  type RedisIdempotencyStoreOptions,
} from './nest/idempotent/redis-store.js';
