import { expect, it } from 'vitest';
import { PostgresIdempotencyStore } from '../../lib/nest/idempotent/postgres-store.js';
import { RedisIdempotencyStore } from '../../lib/nest/idempotent/redis-store.js';
import { storedKey } from '../../lib/nest/idempotent/stored-key.js';

const LIMITS = { mostBytes: 100, refused: /\0/ };

it.each([[''], ['order-1'], ['\u00e4\u{1f511}\n\u0001'], ['a'.repeat(100)], ['sha256:abc:order']])(
  'a key that can be held is kept as it is: %j',
  (key) => {
    expect(storedKey(key, LIMITS)).toBe(key);
  },
);

it('any other is kept by its digest, behind which its beginning can be read', () => {
  expect(storedKey('tenant\0order \u00e4', LIMITS)).toMatch(
    /^sha256:[0-9a-f]{64}:tenant\\u0000order \\u00e4$/,
  );
  expect(storedKey('a'.repeat(101), LIMITS)).toMatch(/^sha256:[0-9a-f]{64}:a{64}$/);
  expect(storedKey('\u00e4'.repeat(51), LIMITS)).toMatch(/^sha256:/);
});

it('no two keys are kept as one', () => {
  const long = 'a'.repeat(1000);
  const kept = storedKey(long, LIMITS);
  // The last is what another one is kept as.
  const keys = [long, `${long}b`, '\0', '\0\0', '\ud83d', '\ud83e', '\ufffd', '\ude00', kept];
  expect(new Set(keys.map((key) => storedKey(key, LIMITS))).size).toBe(keys.length);
  expect(storedKey('\ud83d')).not.toBe(storedKey('\ud83e'));
});

const coded = (code: unknown, message = 'no'): Error => Object.assign(new Error(message), { code });

it.each<[string, unknown, boolean]>([
  ['a character that is none', coded('22021'), false],
  ['a limit of an index', coded('54000'), false],
  ['a constraint', coded('23514'), false],
  ['one in the error of a library', new Error('query failed', { cause: coded('22P05') }), false],
  ['a connection that is refused', coded('ECONNREFUSED'), true],
  ['a pipe that is broken', coded('EPIPE'), true],
  ['a connection that has ended', coded('08006'), true],
  ['a server that stops', coded('57P01'), true],
  ['one that has become a replica', coded('25006'), true],
  ['a deadlock', coded('40P01'), true],
  ['no memory', coded('53200'), true],
  ['a password that has changed', coded('28P01'), true],
  ['a table that is missing', coded('42P01'), true],
  ['something without a code', new Error('Connection terminated'), true],
  ['nothing', undefined, true],
])('of PostgreSQL %s', (_, error, isAway) => {
  const store = new PostgresIdempotencyStore({ query: () => Promise.resolve([]) });
  expect(store.isAway(error)).toBe(isAway);
});

it('of Redis a key that holds something else is refused, and all else is waited for', () => {
  const store = new RedisIdempotencyStore({ client: { eval: () => Promise.resolve(null), status: '' } });
  const refused =
    'WRONGTYPE Operation against a key holding the wrong kind of value script: f, on @user_script:2.';
  expect(store.isAway(new Error(refused))).toBe(false);
  expect(store.isAway(new Error(`ERR Error running script: @user_script: 2: ${refused}`))).toBe(false);
  expect(store.isAway(new Error('LOADING Redis is loading the dataset in memory'))).toBe(true);
  expect(store.isAway(undefined)).toBe(true);
});
