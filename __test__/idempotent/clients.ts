import { Redis } from 'ioredis';
import type { IdempotencyStore } from 'nestjs-kafka-native';
import { PostgresIdempotencyStore } from 'nestjs-kafka-native/postgres';
import { RedisIdempotencyStore } from 'nestjs-kafka-native/redis';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { postgresBinaries, redisServer } from '../../scripts/lib/servers.mjs';
import { until } from '../harness/wait';
import { postgres, redis, type StoreServer } from './servers';

/** A store as an application has it, over a client of its own. */
export interface OwnStore {
  readonly store: IdempotencyStore;
  close(): unknown;
}

/** A kind of store. */
export interface Kind {
  readonly name: string;
  readonly isThere: boolean;
  readonly server: () => StoreServer;
  /** A store over a server that need not run. */
  readonly connect: (path: string) => OwnStore;
  /** What has to be done once, with the server running. */
  readonly prepare: (store: IdempotencyStore) => Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

function overIoRedis(path: string): OwnStore {
  // What cannot be asked is refused soon: what waits for it is the message.
  const client = new Redis({ path, maxRetriesPerRequest: 0, retryStrategy: () => 50 });
  client.on('error', () => undefined);
  return { store: new RedisIdempotencyStore({ client }), close: () => client.disconnect() };
}

function overNodeRedis(path: string): OwnStore {
  const client = createClient({
    socket: { path, tls: false, reconnectStrategy: 50 },
    disableOfflineQueue: true,
  });
  client.on('error', () => undefined);
  void client.connect().catch(() => undefined);
  return {
    store: new RedisIdempotencyStore({ client, prefix: 'other:' }),
    close: () => client.destroy(),
  };
}

function pool(host: string): Pool {
  const made = new Pool({ host, user: 'tests', database: 'postgres', max: 4 });
  made.on('error', () => undefined);
  return made;
}

function overPool(host: string): OwnStore {
  const made = pool(host);
  return { store: new PostgresIdempotencyStore({ query: made }), close: () => made.end() };
}

function overFunction(host: string): OwnStore {
  const made = pool(host);
  const query = async (text: string, values: readonly unknown[]): Promise<readonly unknown[]> =>
    (await made.query(text, [...values])).rows;
  const store = new PostgresIdempotencyStore({ query, table: 'public.handled' });
  return { store, close: () => made.end() };
}

const createTable = (store: IdempotencyStore): Promise<void> =>
  (store as PostgresIdempotencyStore).createTable();

const hasRedis = redisServer() !== undefined;
const hasPostgres = postgresBinaries() !== undefined;

const redisKind = { isThere: hasRedis, server: redis, prepare: nothing };
const postgresKind = { isThere: hasPostgres, server: postgres, prepare: createTable };

export const ioRedis: Kind = { name: 'Redis, by ioredis', connect: overIoRedis, ...redisKind };
export const nodeRedis: Kind = { name: 'Redis, by node-redis', connect: overNodeRedis, ...redisKind };
export const pgPool: Kind = { name: 'PostgreSQL, by a Pool', connect: overPool, ...postgresKind };
export const pgFunction: Kind = { name: 'PostgreSQL, by a function', connect: overFunction, ...postgresKind };

/** Has a store made ready whose server has just started; its client connects by itself. */
export async function untilPrepared(kind: Kind, { store }: Pick<OwnStore, 'store'>): Promise<void> {
  const ask = async (): Promise<boolean> => {
    await kind.prepare(store);
    const key = `asked ${Math.random()}`;
    await store.release(key, await store.claim(key, 1000));
    return true;
  };
  await until('the store answers', () => ask().catch(() => false), 60_000);
}

/** Has the server refuse a key from now on, whatever is to be done with it. */
export async function refuse(kind: Kind, path: string, key: string): Promise<void> {
  if (kind === pgPool) {
    const own = pool(path);
    await own.query(`ALTER TABLE kafka_idempotency ADD CHECK (key <> '${key}')`);
    await own.end();
    return;
  }
  const client = new Redis({ path });
  await client.lpush(`kafka-idempotency:${key}`, 'something else');
  client.disconnect();
}
