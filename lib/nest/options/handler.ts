import type { RetryOptions } from '../../kafkajs/types/index.js';
import { milliseconds } from '../../options/checks.js';
import { nested, readOptions } from '../../options/read.js';
import { retryTable } from '../../options/retry.js';
import { layer, refused, type Check, type OptionTable } from '../../options/table.js';
import { deadLetterTable, type DeadLetterOptions } from './dead-letter.js';

/**
 * Options of one handler, over those of the server: what `@EventPattern` and `@MessagePattern` take as `kafka` in NestJS's extras.
 *
 * ```ts
 * @EventPattern('orders', kafkaHandler({ handlerTimeout: 5_000, deadLetter: { maxAttempts: 5 } }))
 * ```
 */
export interface KafkaHandlerOptions {
  /**
   * The waits between deliveries, and how many there are, over `consumer.retry`, option by option. Default:
   * `consumer.retry`.
   */
  retry?: Omit<RetryOptions, 'restartOnFailure'>;
  /**
   * Over the server’s `deadLetter`, option by option; `false`: this handler’s messages go to no dead-letter topic. Default:
   * `options.deadLetter`.
   */
  deadLetter?: DeadLetterOptions | false;
  /** A handler that runs longer is reported. A number of milliseconds, 1 or more. Default: `consumer.handlerTimeout`. */
  handlerTimeout?: number;
}

/**
 * Options of one handler as the extras of `@EventPattern` and `@MessagePattern`, whose keys the compiler checks: `{ kafka: options }`.
 */
export function kafkaHandler(options: KafkaHandlerOptions): { kafka: KafkaHandlerOptions } {
  return { kafka: options };
}

const deadLetterOrNone: Check = {
  text: 'an object, or false',
  parse: (value, path) => (value === false ? false : readOptions(deadLetterTable, value, path)),
  table: deadLetterTable,
};

const handlerRetryTable: OptionTable = {
  ...retryTable,
  rows: retryTable.rows.map((row) =>
    row.name === 'restartOnFailure'
      ? {
          ...row,
          handling: refused('a consumer starts again as a whole', 'set consumer.retry.restartOnFailure'),
        }
      : row,
  ),
};

/** `kafka` in the extras of a handler's decorator. */
export const handlerTable: OptionTable = {
  path: 'kafka',
  rows: [
    {
      name: 'retry',
      check: nested(handlerRetryTable),
      defaultText: '`consumer.retry`',
      handling: layer,
      doc: 'The waits between deliveries, and how many there are, over `consumer.retry`, option by option.',
    },
    {
      name: 'deadLetter',
      check: deadLetterOrNone,
      defaultText: '`options.deadLetter`',
      handling: layer,
      doc: 'Over the server’s `deadLetter`, option by option; `false`: this handler’s messages go to no dead-letter topic.',
    },
    {
      name: 'handlerTimeout',
      check: milliseconds(1),
      defaultText: '`consumer.handlerTimeout`',
      handling: layer,
      doc: 'A handler that runs longer is reported.',
    },
  ],
};

/**
 * Checks the options of one handler.
 *
 * @throws KafkaJSInvalidOptionError naming the option.
 */
export function readHandler(options: unknown): KafkaHandlerOptions {
  return readOptions(handlerTable, options);
}
