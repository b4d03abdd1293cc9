import { integer, invalidValue, milliseconds, string } from '../../options/checks.js';
import { isGiven } from '../../options/given.js';
import { nested, readOptions } from '../../options/read.js';
import { layer, type Check, type OptionTable } from '../../options/table.js';

/** The transactions of handlers with `kafka: { transactional: true }`. */
export interface TransactionsOptions {
  /**
   * Prefix of the transactional id. A unique id is appended for each server of each process, so all instances can have the
   * same prefix.
   */
  idPrefix: string;
  /** The longest time from a transaction’s first message to its commit. A number of milliseconds, 1 to 60000. Default: `100`. */
  commitInterval?: number;
  /** The largest number of messages handled in one transaction. A number, 1 to 50000. Default: `500`. */
  maxRecords?: number;
}

/** `transactions`. */
export const transactionsTable: OptionTable = {
  path: 'transactions',
  rows: [
    {
      name: 'idPrefix',
      check: string,
      handling: layer,
      doc: 'Prefix of the transactional id. A unique id is appended for each server of each process, so all instances can have the same prefix.',
    },
    {
      name: 'commitInterval',
      check: milliseconds(1, 60_000),
      default: 100,
      handling: layer,
      doc: 'The longest time from a transaction’s first message to its commit.',
    },
    {
      name: 'maxRecords',
      check: integer(1, 50_000),
      default: 500,
      handling: layer,
      doc: 'The largest number of messages handled in one transaction.',
    },
  ],
};

/** `idPrefix` must be given: without it there are no transactional ids. */
export const transactions: Check = {
  ...nested(transactionsTable),
  parse: (value, path) => {
    const given = readOptions(transactionsTable, value, path);
    const { idPrefix } = given;
    if (isGiven(idPrefix) && idPrefix !== '') return given;
    throw invalidValue(`${path}.idPrefix`, 'a text that is not empty', idPrefix);
  },
};

const DEFAULTS = { commitInterval: 100, maxRecords: 500 } as const;

/** The options with their defaults. */
export function transactionsSettings(options: TransactionsOptions): Required<TransactionsOptions> {
  const { idPrefix, commitInterval, maxRecords } = options;
  return {
    idPrefix,
    commitInterval: Number(commitInterval ?? DEFAULTS.commitInterval),
    maxRecords: Number(maxRecords ?? DEFAULTS.maxRecords),
  };
}
