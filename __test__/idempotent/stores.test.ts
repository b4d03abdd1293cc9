import { randomBytes } from 'node:crypto';
import type { IdempotencyStore } from 'nestjs-kafka-native';
import { PostgresIdempotencyStore } from 'nestjs-kafka-native/postgres';
import { RedisIdempotencyStore } from 'nestjs-kafka-native/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pause, until } from '../harness/wait';
import { ioRedis, nodeRedis, pgFunction, pgPool, untilPrepared, type Kind } from './clients';
import type { StoreServer } from './servers';

// The stores over the real servers: those of the system, started here. Each store is told of the same things.

const servers = new Map<Kind['server'], Promise<StoreServer>>();
const closing: (() => unknown)[] = [];

afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

/** One server for all stores in it. */
function started(make: Kind['server']): Promise<StoreServer> {
  let server = servers.get(make);
  if (server === undefined) {
    server = Promise.resolve().then(async () => {
      const made = make();
      closing.push(() => made.dispose());
      await made.start();
      return made;
    });
    servers.set(make, server);
  }
  return server;
}

describe.each([ioRedis, nodeRedis, pgPool, pgFunction])('$name', (kind) => {
  describe.runIf(kind.isThere)('is there, and', () => {
    let one: IdempotencyStore;
    let other: IdempotencyStore;
    let keys = 0;
    const key = (): string => `key ${++keys} of '${kind.name}' \u{1F511}`;

    beforeAll(async () => {
      const { path } = await started(kind.server);
      const own = [kind.connect(path), kind.connect(path)] as const;
      for (const each of own) closing.push(() => each.close());
      [one, other] = [own[0].store, own[1].store];
      for (const each of own) await untilPrepared(kind, each);
    }, 180_000);

    test('a key is claimed once, and done for all', async () => {
      const it = key();
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 ? one : other).claim(it, 60_000)),
      );
      const claimed = claims.filter(({ state }) => state === 'claimed');
      expect(claimed).toHaveLength(1);
      expect(claims.filter(({ state }) => state === 'busy')).toHaveLength(19);
      await one.done(it, 60_000, { total: 7, text: "it's" }, claimed[0]);
      for (const store of [one, other])
        expect(await store.claim(it, 60_000)).toEqual({ state: 'done', result: { total: 7, text: "it's" } });
    });

    test('what has no result, or null, or one that cannot be held, is done too', async () => {
      for (const [result, remembered] of [
        [undefined],
        [null, null],
        ['', ''],
        [0, 0],
        [new Map()],
      ] as const) {
        const it = key();
        const claim = await one.claim(it, 60_000);
        await one.done(it, 60_000, result, claim);
        expect(await other.claim(it, 60_000)).toEqual({ state: 'done', result: remembered });
      }
    });

    test.each([
      ['a NUL character', 'tenant\0order'],
      ['10 kB that cannot be compressed', randomBytes(5000).toString('hex')],
      // What digests begin at.
      [
        'as much as is kept as it is',
        randomBytes(1950)
          .toString('base64')
          .slice(0, 2600 - 40),
      ],
    ])('a key with %s is one as any other', async (_, odd) => {
      const it = key().padEnd(38, '-') + odd;
      const claim = await one.claim(it, 60_000);
      expect(claim.state).toBe('claimed');
      expect((await other.claim(it, 60_000)).state).toBe('busy');
      expect((await other.claim(`${it}x`, 60_000)).state).toBe('claimed');
      await one.release(it, claim);
      const again = await other.claim(it, 60_000);
      expect(again.state).toBe('claimed');
      await other.done(it, 60_000, 7, again);
      expect(await one.claim(it, 60_000)).toEqual({ state: 'done', result: 7 });
    });

    test('keys with different halves of characters are different', async () => {
      const it = key();
      for (const half of ['\ud83d', '\ud83e', '\ufffd'])
        expect((await one.claim(it + half, 60_000)).state).toBe('claimed');
    });

    test('a key that is given back is free', async () => {
      const it = key();
      await one.release(it, await one.claim(it, 60_000));
      expect((await other.claim(it, 60_000)).state).toBe('claimed');
    });

    test('a claim ends by itself, and whoever had it gives nothing back of another', async () => {
      const it = key();
      const claim = await one.claim(it, 50);
      // Another of the same process, too.
      await until('it is over', async () => (await one.claim(it, 60_000)).state === 'claimed');
      await one.release(it, claim);
      expect((await other.claim(it, 60_000)).state).toBe('busy');
    });

    test('what was handled behind the end of its claim is done all the same', async () => {
      const it = key();
      const claim = await one.claim(it, 50);
      await until('it is over', async () => (await other.claim(it, 60_000)).state === 'claimed');
      await one.done(it, 60_000, 'late', claim);
      expect(await other.claim(it, 60_000)).toEqual({ state: 'done', result: 'late' });
    });

    test('what is done is forgotten after its time', async () => {
      const it = key();
      await one.done(it, 50, 1, await one.claim(it, 60_000));
      await until('it is forgotten', async () => (await other.claim(it, 60_000)).state === 'claimed');
    });
  });
});

test.runIf(pgPool.isThere)('a table is made once, and what is over is swept out of it', async () => {
  const { path } = await started(pgPool.server);
  const { Pool } = await import('pg');
  const pool = new Pool({ host: path, user: 'tests', database: 'postgres' });
  const store = new PostgresIdempotencyStore({ query: pool, table: 'swept' });
  await untilPrepared(pgPool, { store: new PostgresIdempotencyStore({ query: pool }) });
  // Processes that start together: what the ones behind are told depends on how far the first one is.
  for (let i = 0; i < 60; i++) {
    const made = i === 0 ? store : new PostgresIdempotencyStore({ query: pool, table: `swept_${i}` });
    // oxlint-disable-next-line no-await-in-loop -- one table after the other
    await Promise.all(Array.from({ length: 8 }, () => made.createTable()));
  }
  await store.done('old', 1, 1);
  await store.done('new', 3_600_000, 1);
  // By the clock of the server, which is this one's.
  await pause(20);
  await store.sweep();
  const { rows } = await pool.query('SELECT key FROM swept');
  expect(rows).toEqual([{ key: 'new' }]);
  await pool.end();
});

const NOTHING = (): Promise<never[]> => Promise.resolve([]);

test('stores without what they need are refused', () => {
  expect(() => new RedisIdempotencyStore({ client: {} as never })).toThrow('ioredis or redis');
  expect(() => new PostgresIdempotencyStore({ query: {} as never })).toThrow('a Pool of the package pg');
  expect(() => new PostgresIdempotencyStore({ query: NOTHING, table: 'a; DROP TABLE b' })).toThrow(
    'is no name of a table',
  );
});
