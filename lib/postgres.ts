/**
 * A store of `@Idempotent` in PostgreSQL, over a pool of `pg` or whatever runs the application's statements: nothing of it is loaded here.
 *
 * @packageDocumentation
 */
export {
  PostgresIdempotencyStore,
  type PgLike,
  type PostgresIdempotencyStoreOptions,
  type SqlQuery,
  type SqlRows,
} from './nest/idempotent/postgres-store.js';
