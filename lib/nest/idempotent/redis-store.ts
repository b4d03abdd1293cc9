import { randomUUID } from 'node:crypto';
import { resultOf, resultText } from './result.js';
import type { Claim, IdempotencyStore } from './store.js';
import { storedKey } from './stored-key.js';

/** What is used of a client of the package `ioredis`. */
export interface IoRedisLike {
  /** Runs a script; `numberOfKeys` of the arguments are keys. */
  eval(script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>;
  /** Tells it from a client of `redis`. */
  readonly status: string;
}

/** What is used of a client of the package `redis` (node-redis). */
export interface NodeRedisLike {
  /** Runs a script. */
  eval(
    script: string,
    options: {
      /** The keys that it uses. */
      keys: string[];
      /** What else it is given. */
      arguments: string[];
    },
  ): Promise<unknown>;
}

/** Options of {@link RedisIdempotencyStore}. */
export interface RedisIdempotencyStoreOptions {
  /** A client of `ioredis`, or a connected one of `redis`, or a cluster of either. It is neither opened nor closed here. */
  client: IoRedisLike | NodeRedisLike;
  /** What the names of its keys begin with. Default: `kafka-idempotency:`. */
  prefix?: string;
}

/** A claim is its token behind this letter, what is done its result behind the other. */
const [BUSY, DONE] = ['b', 'd'];

/** Claims a key, or answers what is there. */
const CLAIM = `
local known = redis.call('GET', KEYS[1])
if known then return known end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`;

const PUT = `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`;

/** Gives a claim back, unless it is another's by now. */
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/**
 * A store for `@Idempotent` in Redis 2.6.12 or newer (or what speaks its protocol), for any number of processes. Each call is one script,
 * which Redis runs as a whole; keys go by themselves when their time is over, by the clock of the server.
 *
 * What Redis forgets is handled again: a server without `appendfsync always` may lose its last writes when it is killed, a replica that takes
 * over may not have them, and one that evicts keys (`maxmemory-policy` other than `noeviction`) forgets early.
 */
export class RedisIdempotencyStore implements IdempotencyStore {
  readonly #client: RedisIdempotencyStoreOptions['client'];
  readonly #prefix: string;

  /** @throws TypeError when the client is none */
  constructor({ client, prefix = 'kafka-idempotency:' }: RedisIdempotencyStoreOptions) {
    if (typeof client?.eval !== 'function') {
      throw new TypeError('RedisIdempotencyStore needs a client of the package ioredis or redis as client');
    }
    this.#client = client;
    this.#prefix = prefix;
  }

  async claim(key: string, lease: number): Promise<Claim> {
    const token = BUSY + randomUUID();
    const known = await this.#run(CLAIM, key, token, String(lease));
    if (known === null || known === undefined) return { state: 'claimed', token };
    // A client may be told to answer with Buffers.
    const text = String(known);
    return text.startsWith(DONE)
      ? { state: 'done', result: resultOf(text.slice(DONE.length)) }
      : { state: 'busy' };
  }

  async done(key: string, ttl: number, result: unknown): Promise<void> {
    await this.#run(PUT, key, DONE + resultText(result), String(ttl));
  }

  async release(key: string, claim?: Claim): Promise<void> {
    if (claim?.token !== undefined) await this.#run(RELEASE, key, claim.token);
  }

  /** Whether a failure is none of the key's: of one that holds something else, a list for example, Redis will never answer otherwise. */
  isAway(error: unknown): boolean {
    return !(error instanceof Error && /\bWRONGTYPE\b/.test(error.message));
  }

  #run(script: string, key: string, ...args: string[]): Promise<unknown> {
    const client = this.#client;
    const name = this.#prefix + storedKey(key);
    // Both are called `eval`, and take the same in different ways; only ioredis has a status, its clusters too.
    if ('status' in client) return client.eval(script, 1, name, ...args);
    return client.eval(script, { keys: [name], arguments: args });
  }
}
