import type { ConcurrencyOptions, RetryOptions } from '../../kafkajs/types/index.js';
import { boolean, bytes, integer, milliseconds, oneOf } from '../../options/checks.js';
import { concurrencyTable } from '../../options/concurrency.js';
import { isGiven } from '../../options/given.js';
import { nested, readOptions } from '../../options/read.js';
import { retryTable } from '../../options/retry.js';
import { layer, refused, type Check, type OptionTable } from '../../options/table.js';
import { withoutUnknown, type KnownOptions } from '../../options/unknown.js';
import { deadLetterTable, type DeadLetterOptions } from './dead-letter.js';

/**
 * Options of one handler, which override those of the server: `kafka` in the extras of `@EventPattern` and
 * `@MessagePattern`.
 *
 * ```ts
 * @EventPattern('orders', kafkaHandler({ handlerTimeout: 5_000, deadLetter: { maxAttempts: 5 } }))
 * ```
 */
export interface KafkaHandlerOptions {
  /** Number of redeliveries and waits between them; merged over `consumer.retry`. Default: `consumer.retry`. */
  retry?: Omit<RetryOptions, 'restartOnFailure'>;
  /**
   * Merged over the server’s `deadLetter`; `false`: this handler’s messages are not dead-lettered. Default:
   * `options.deadLetter`.
   */
  deadLetter?: DeadLetterOptions | false;
  /**
   * Which messages of a partition are handled at once, instead of `run.concurrency`. The same for all handlers of a topic.
   * Default: `run.concurrency`.
   */
  concurrency?: ConcurrencyOptions;
  /** The handler gets several messages of a partition at once. The same for all handlers of a topic. Default: off. */
  batch?: BatchOptions;
  /**
   * `manual`: a message counts as finished when the handler acknowledges it with `context.ack()`. The same for all handlers
   * of a topic. Default: `"auto"`.
   */
  ack?: 'auto' | 'manual';
  /**
   * The handler gets only messages with these headers: each equal to the text or one of the texts, or absent for `null`.
   * Messages that no handler of a topic takes count as handled and never reach JavaScript. Default: all messages that no
   * other handler of the topic takes.
   */
  headers?: Record<string, string | readonly string[] | null>;
  /**
   * Messages sent with `context.getTransaction()` and the offset of the handled message are committed together, or not at
   * all. Needs `options.transactions`. The same for all handlers of a topic. Default: `false`.
   */
  transactional?: boolean;
  /** A handler that runs longer is reported. A number of milliseconds, 1 or more. Default: `consumer.handlerTimeout`. */
  handlerTimeout?: number;
}

/** How many messages a handler gets at once. */
export interface BatchOptions {
  /** The most messages of a batch. A number, 1 to 100000. Default: `500`. */
  maxMessages?: number;
  /**
   * The most bytes of a batch’s keys, values and headers; a larger message is a batch of its own. A number of bytes, 1 to
   * 100000000. Default: `1048576`.
   */
  maxBytes?: number;
  /**
   * How long a batch waits to be full; with 0 a handler gets the messages available. A number of milliseconds, 0 to 3600000.
   * Default: `0`.
   */
  maxWait?: number;
}

/** The extras `{ kafka: options }` for `@EventPattern` and `@MessagePattern`, with options that the compiler checks. */
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

/** `batch` of a handler. */
export const batchTable: OptionTable = {
  path: 'batch',
  rows: [
    {
      name: 'maxMessages',
      check: integer(1, 100_000),
      default: 500,
      handling: layer,
      doc: 'The most messages of a batch.',
    },
    {
      name: 'maxBytes',
      check: bytes(1, 100_000_000),
      default: 1_048_576,
      handling: layer,
      doc: 'The most bytes of a batch’s keys, values and headers; a larger message is a batch of its own.',
    },
    {
      name: 'maxWait',
      check: milliseconds(0, 3_600_000),
      default: 0,
      handling: layer,
      doc: 'How long a batch waits to be full; with 0 a handler gets the messages available.',
    },
  ],
};

const headers: Check = {
  text: 'an object of headers: each a text, a list of texts, or null for an absent one',
  parse: (value) => {
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    const wanted = Object.values(value as object) as unknown[];
    return wanted.length > 0 && wanted.every(isWanted) ? value : undefined;
  },
};

function isWanted(value: unknown): boolean {
  if (!isGiven(value)) return value === null;
  return (
    typeof value === 'string' ||
    (Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === 'string'))
  );
}

/** `kafka` in the extras of a handler's decorator. */
export const handlerTable: OptionTable = {
  path: 'kafka',
  rows: [
    {
      name: 'retry',
      check: nested(handlerRetryTable),
      defaultText: '`consumer.retry`',
      handling: layer,
      doc: 'Number of redeliveries and waits between them; merged over `consumer.retry`.',
    },
    {
      name: 'deadLetter',
      check: deadLetterOrNone,
      defaultText: '`options.deadLetter`',
      handling: layer,
      doc: 'Merged over the server’s `deadLetter`; `false`: this handler’s messages are not dead-lettered.',
    },
    {
      name: 'concurrency',
      check: nested(concurrencyTable),
      defaultText: '`run.concurrency`',
      handling: layer,
      doc: 'Which messages of a partition are handled at once, instead of `run.concurrency`. The same for all handlers of a topic.',
    },
    {
      name: 'batch',
      check: nested(batchTable),
      defaultText: 'off',
      handling: layer,
      doc: 'The handler gets several messages of a partition at once. The same for all handlers of a topic.',
    },
    {
      name: 'ack',
      check: oneOf('auto', 'manual'),
      default: 'auto',
      handling: layer,
      doc: '`manual`: a message counts as finished when the handler acknowledges it with `context.ack()`. The same for all handlers of a topic.',
    },
    {
      name: 'headers',
      check: headers,
      defaultText: 'all messages that no other handler of the topic takes',
      handling: layer,
      doc: 'The handler gets only messages with these headers: each equal to the text or one of the texts, or absent for `null`. Messages that no handler of a topic takes count as handled and never reach JavaScript.',
    },
    {
      name: 'transactional',
      check: boolean,
      default: false,
      handling: layer,
      doc: 'Messages sent with `context.getTransaction()` and the offset of the handled message are committed together, or not at all. Needs `options.transactions`. The same for all handlers of a topic.',
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

/** A handler's options without unknown ones, and the list of those. */
export function knownHandlerOptions(options: unknown): KnownOptions {
  if (typeof options === 'object' && !Array.isArray(options)) return withoutUnknown(handlerTable, options);
  // Not an object: the extra belongs to another transport or a library.
  return { options: undefined, unknown: [{ path: handlerTable.path, hint: 'it is no object of options' }] };
}

/**
 * Checks the options of one handler.
 *
 * @throws KafkaJSInvalidOptionError naming the option.
 */
export function readHandler(options: unknown): KafkaHandlerOptions {
  return readOptions(handlerTable, options);
}
