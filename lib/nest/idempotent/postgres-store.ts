import { randomUUID } from 'node:crypto';
import { resultOf, resultText } from './result.js';
import type { Claim, IdempotencyStore } from './store.js';
import { storedKey, type KeyLimits } from './stored-key.js';

/** What a statement answers, as the package `pg` has it. */
export interface SqlRows {
  /** Its rows, as objects of the columns. */
  rows: any[];
}

/** Runs one statement with values for `$1`, `$2`, …; answers its rows, or an object that has them. */
export type SqlQuery = (
  text: string,
  values: readonly unknown[],
) => PromiseLike<readonly unknown[] | SqlRows>;

/** What is used of a `Pool` or client of the package `pg`. */
export interface PgLike {
  /** Runs a statement. */
  query(text: string, values: any[]): PromiseLike<SqlRows>;
}

/** Options of {@link PostgresIdempotencyStore}. */
export interface PostgresIdempotencyStoreOptions {
  /**
   * How it is asked: a `Pool` (or client) of the package `pg`, or a function that runs a statement, over whatever the application uses. It
   * is neither opened nor closed here.
   */
  query: PgLike | SqlQuery;
  /** The table, with its schema where it needs one. Default: `kafka_idempotency`. */
  table?: string;
}

interface Row {
  readonly done: boolean;
  readonly result: string | null;
}

/** An entry of a B-tree has at most a third of a page, 2704 bytes with what belongs to it, and a text no NUL. */
const KEYS: KeyLimits = { mostBytes: 2600, refused: /\0/ };

/** Classes of SQLSTATE that say something of the values in a statement: data, constraints, limits. */
const OF_VALUES = new Set(['22', '23', '54']);
/** Libraries over `pg` put its error into their own, at most so deep. */
const MOST_CAUSES = 5;

/** A name of a table as it may stand in a statement as it is. */
const TABLE = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/i;

/**
 * A store for `@Idempotent` in PostgreSQL 9.5 or newer, for any number of processes. Each call is one statement; times are those of the
 * server's clock. `createTable()` makes its table, `sweep()` removes what is over.
 *
 * It does not make the handler's effect and what is remembered of it one: where the effect is in the same database, write it and the key in
 * one transaction instead, with a unique index on the key.
 */
export class PostgresIdempotencyStore implements IdempotencyStore {
  readonly #query: SqlQuery;
  readonly #table: string;

  /** @throws TypeError when there is nothing to ask, or the table's name is none */
  constructor({ query, table = 'kafka_idempotency' }: PostgresIdempotencyStoreOptions) {
    if (typeof query !== 'function' && typeof query?.query !== 'function') {
      throw new TypeError(
        'PostgresIdempotencyStore needs a Pool of the package pg, or a function that runs a statement',
      );
    }
    if (!TABLE.test(table))
      throw new TypeError(
        `${JSON.stringify(table)} is no name of a table: letters, digits and _, with a schema before a dot where it needs one`,
      );
    this.#query = typeof query === 'function' ? query : (text, values) => query.query(text, [...values]);
    this.#table = table;
  }

  /** Makes the table, where it is not there; several processes may do so at once. */
  async createTable(): Promise<void> {
    const create = `CREATE TABLE IF NOT EXISTS ${this.#table} (
      key text PRIMARY KEY,
      token text NOT NULL,
      done boolean NOT NULL,
      result text,
      until timestamptz NOT NULL
    )`;
    try {
      await this.#query(create, []);
    } catch (error) {
      // Two that make it at once: the other one has done it, which shows in the catalogue's unique index, in the table, or in its type.
      const { code } = error as { code?: unknown };
      if (code !== '23505' && code !== '42P07' && code !== '42710') throw error;
    }
  }

  async claim(key: string, lease: number): Promise<Claim> {
    const [name, token] = [storedKey(key, KEYS), randomUUID()];
    const claimed = await this.#rows(
      `INSERT INTO ${this.#table} AS known (key, token, done, result, until)
      VALUES ($1, $2, false, NULL, now() + $3::float8 * interval '1 millisecond')
      ON CONFLICT (key) DO UPDATE
        SET token = excluded.token, done = false, result = NULL, until = excluded.until
        WHERE known.until <= now()
      RETURNING key`,
      [name, token, lease],
    );
    if (claimed.length > 0) return { state: 'claimed', token };
    // Of one that is over by now, or was given back, the message comes again and finds it free.
    const [known] = (await this.#rows(
      `SELECT done, result FROM ${this.#table} WHERE key = $1 AND until > now()`,
      [name],
    )) as Row[];
    if (!known?.done) return { state: 'busy' };
    return { state: 'done', result: resultOf(known.result ?? '') };
  }

  async done(key: string, ttl: number, result: unknown, claim?: Claim): Promise<void> {
    await this.#query(
      `INSERT INTO ${this.#table} (key, token, done, result, until)
      VALUES ($1, $2, true, $4, now() + $3::float8 * interval '1 millisecond')
      ON CONFLICT (key) DO UPDATE SET token = excluded.token, done = true, result = excluded.result, until = excluded.until`,
      [storedKey(key, KEYS), claim?.token ?? '', ttl, resultText(result) || null],
    );
  }

  async release(key: string, claim?: Claim): Promise<void> {
    if (claim?.token === undefined) return;
    await this.#query(`DELETE FROM ${this.#table} WHERE key = $1 AND token = $2 AND NOT done`, [
      storedKey(key, KEYS),
      claim.token,
    ]);
  }

  /**
   * Whether a failure is none of the key's: of a connection, of a server that is busy, starts or has become a replica, of a table that
   * is missing. PostgreSQL's code says so.
   */
  isAway(error: unknown): boolean {
    let cause = error;
    for (let depth = 0; depth < MOST_CAUSES && typeof cause === 'object' && cause !== null; depth++) {
      const { code } = cause as { code?: unknown };
      if (typeof code === 'string' && code.length === 5 && OF_VALUES.has(code.slice(0, 2))) return false;
      ({ cause } = cause as { cause?: unknown });
    }
    return true;
  }

  /** Removes what is over: to be called now and then, by one process or all. Nothing else does. */
  async sweep(): Promise<void> {
    await this.#query(`DELETE FROM ${this.#table} WHERE until <= now()`, []);
  }

  async #rows(text: string, values: readonly unknown[]): Promise<readonly unknown[]> {
    const answer = await this.#query(text, values);
    return (answer as Partial<SqlRows>).rows ?? (answer as readonly unknown[]);
  }
}
