import { isLegalTopic } from '../../kafkajs/topic-name.js';
import type { RetryOptions } from '../../kafkajs/types/index.js';
import type { IncomingMessage } from '../context/incoming-message.js';
import { integer } from '../../options/checks.js';
import { type Check } from '../../options/table.js';
import { retryTable } from '../../options/retry.js';
import { layer, refused, type OptionTable } from '../../options/table.js';
import { nested } from '../../options/read.js';

/** An error's class, for {@link DeadLetterOptions.notRetried}. */
export type ErrorClass = abstract new (...args: any[]) => unknown;

/** What happens to a message whose handler keeps failing. */
export interface DeadLetterOptions {
  /**
   * Where messages go that cannot be handled: a name, or a function that gets the message, as `KafkaContext.getMessage()`
   * answers it, and the error that the handler threw. Default: `<topic>.DLT`.
   */
  topic?: string | ((message: IncomingMessage, error: any) => string);
  /** Deliveries in all, the first included, before a message goes there. A number, 1 or more. Default: `3`. */
  maxAttempts?: number;
  /** The waits between deliveries. Default: `consumer.retry`. */
  backoff?: Pick<RetryOptions, 'initialRetryTime' | 'maxRetryTime' | 'factor' | 'multiplier'>;
  /**
   * Errors after which a message goes there at once: their classes or names, subclasses included, or a function that says
   * so. What is given replaces the default. Default: validation errors and HTTP exceptions with status 400 to 499, and an
   * `RpcException` around one.
   */
  notRetried?: readonly (ErrorClass | string)[] | ((error: any) => boolean);
}

const topic: Check = {
  text: 'a topic name (at most 249 of a-z, A-Z, 0-9, ".", "_" and "-"), or a function (message, error) => topic',
  parse: (value) =>
    typeof value === 'function' || (typeof value === 'string' && isLegalTopic(value)) ? value : undefined,
};

const notRetried: Check = {
  text: 'an array of error classes and names of them, or a function (error) => boolean (of a single class: [TheClass])',
  parse: (value) => {
    if (Array.isArray(value)) return value.every(isErrorKind) ? value : undefined;
    return typeof value === 'function' && !isErrorClass(value) ? value : undefined;
  },
};

function isErrorKind(value: unknown): boolean {
  return typeof value === 'string' ? value !== '' : typeof value === 'function' && 'prototype' in value;
}

function isErrorClass(value: object): boolean {
  return value === Error || (value as { prototype?: unknown }).prototype instanceof Error;
}

const backoffTable: OptionTable = {
  path: 'backoff',
  rows: retryTable.rows.map((row) => {
    if (row.name === 'retries') {
      return { ...row, handling: refused('messages are not given up after retries', 'use maxAttempts') };
    }
    if (row.name !== 'restartOnFailure') return row;
    return {
      ...row,
      handling: refused('a message that fails does not stop the consumer here', 'leave it out'),
    };
  }),
};

/** `deadLetter` of the server. */
export const deadLetterTable: OptionTable = {
  path: 'deadLetter',
  rows: [
    {
      name: 'topic',
      check: topic,
      defaultText: '`<topic>.DLT`',
      handling: layer,
      doc: 'Where messages go that cannot be handled: a name, or a function that gets the message, as `KafkaContext.getMessage()` answers it, and the error that the handler threw.',
    },
    {
      name: 'maxAttempts',
      check: integer(1),
      default: 3,
      handling: layer,
      doc: 'Deliveries in all, the first included, before a message goes there.',
    },
    {
      name: 'backoff',
      check: nested(backoffTable),
      defaultText: '`consumer.retry`',
      handling: layer,
      doc: 'The waits between deliveries.',
    },
    {
      name: 'notRetried',
      check: notRetried,
      defaultText:
        'validation errors and HTTP exceptions with status 400 to 499, and an `RpcException` around one',
      handling: layer,
      doc: 'Errors after which a message goes there at once: their classes or names, subclasses included, or a function that says so. What is given replaces the default.',
    },
  ],
};
