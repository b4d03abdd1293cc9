import type { ConcurrencyOptions } from '../kafkajs/types/index.js';
import { integer, oneOf } from './checks.js';
import { layer } from './table.js';
import { optionTable } from './elsewhere.js';
import { type Given } from './given.js';

const DEFAULTS: Required<ConcurrencyOptions> = { order: 'partition', max: 64, window: 10_000 };

/** `concurrency` of `run()` and of a handler. */
export const concurrencyTable = optionTable({
  path: 'concurrency',
  rows: [
    {
      name: 'order',
      check: oneOf('partition', 'key', 'none'),
      default: DEFAULTS.order,
      handling: layer,
      doc: '`partition`: messages of a partition are handled one after the other. `key`: messages with equal keys are handled one after the other, those with different keys or without a key concurrently. `none`: all messages are handled concurrently.',
    },
    {
      name: 'max',
      check: integer(1),
      default: DEFAULTS.max,
      handling: layer,
      doc: 'With `key` and `none`: handlers that run at once in this consumer.',
    },
    {
      name: 'window',
      check: integer(1, 1_000_000),
      default: DEFAULTS.window,
      handling: layer,
      doc: 'With `key` and `none`, and with manual acknowledgement: how many offsets beyond its lowest unfinished one a partition is handled before it waits.',
    },
  ],
});

/** The given options over the defaults. */
export function resolveConcurrency(given: Given | undefined): Required<ConcurrencyOptions> {
  return { ...DEFAULTS, ...given };
}
