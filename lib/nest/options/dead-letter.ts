import { isLegalTopic } from '../../kafkajs/topic-name.js';
import type { RetryOptions } from '../../kafkajs/types/index.js';
import type { IncomingMessage } from '../context/incoming-message.js';
import { callback, integer, invalidValue, milliseconds } from '../../options/checks.js';
import { isGiven } from '../../options/given.js';
import { type Check } from '../../options/table.js';
import { retryTable } from '../../options/retry.js';
import { layer, refused, type OptionTable } from '../../options/table.js';
import { nested, readOptions } from '../../options/read.js';

/** The longest wait of a retry topic: a week, as long as a topic keeps its messages by default. */
const LONGEST_DELAY = 7 * 24 * 3600 * 1000;

/** An error's class, for {@link DeadLetterOptions.notRetried}. */
export type ErrorClass = abstract new (...args: any[]) => unknown;

/** What the name of a retry topic may be made of. */
export interface RetryTopicSource {
  /** The topic that the messages were consumed from. */
  topic: string;
  /** The server's group, with its postfix. */
  groupId: string;
  /** The wait in milliseconds, one of the `delays`. */
  delay: number;
}

/** Retries that do not hold the partition up. */
export interface RetryTopicsOptions {
  /**
   * The waits in milliseconds, one for each further delivery. A message that has failed `maxAttempts` times goes to the
   * topic of the first wait; if it fails again, to that of the second, and so on; at last to the dead-letter topic. Equal
   * waits share a topic.
   */
  delays: readonly number[];
  /** Returns the name of a wait’s topic. Default: `<topic>.retry.<groupId>.<delay>`. */
  topic?: (source: RetryTopicSource) => string;
}

/** What happens to a message whose handler keeps failing. */
export interface DeadLetterOptions {
  /**
   * The topic for messages that have failed for good: a name, or a function of the message (as from
   * `KafkaContext.getMessage()`; topic, partition, offset and timestamp are those before any retry topic) and the handler’s
   * error. Default: `<topic>.DLT`.
   */
  topic?: string | ((message: IncomingMessage, error: any) => string);
  /** Deliveries of a message, the first included, before it is dead-lettered. A number, 1 or more. Default: `3`. */
  maxAttempts?: number;
  /**
   * Retry topics, in which a message waits for further deliveries before it is dead-lettered, while its partition goes on.
   * With them, `maxAttempts` counts the deliveries before the first retry topic, and defaults to 1. `false`: none, also
   * where the server has some. Default: off.
   */
  retryTopics?: RetryTopicsOptions | false;
  /** The waits between deliveries. Default: `consumer.retry`. */
  backoff?: Pick<RetryOptions, 'initialRetryTime' | 'maxRetryTime' | 'factor' | 'multiplier'>;
  /**
   * Errors after which a message is dead-lettered at once: classes or names, subclasses included, or a function of the
   * error. Replaces the default. Default: validation errors and HTTP exceptions with status 400 to 499, and an
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

const delays: Check = {
  text: 'an array of numbers of milliseconds, each 1 or more',
  parse: (value) => {
    if (!Array.isArray(value) || value.length === 0) return undefined;
    const check = milliseconds(1, LONGEST_DELAY);
    const parsed = value.map((item) => check.parse(item, ''));
    return parsed.includes(undefined) ? undefined : parsed;
  },
};

/** `deadLetter.retryTopics`. */
export const retryTopicsTable: OptionTable = {
  path: 'retryTopics',
  rows: [
    {
      name: 'delays',
      check: delays,
      handling: layer,
      doc: 'The waits in milliseconds, one for each further delivery. A message that has failed `maxAttempts` times goes to the topic of the first wait; if it fails again, to that of the second, and so on; at last to the dead-letter topic. Equal waits share a topic.',
    },
    {
      name: 'topic',
      check: callback,
      defaultText: '`<topic>.retry.<groupId>.<delay>`',
      handling: layer,
      doc: 'Returns the name of a wait’s topic.',
    },
  ],
};

/** `delays` must be given: without waits there are no retry topics. */
const retryTopics: Check = {
  ...nested(retryTopicsTable),
  text: 'an object, or false',
  parse: (value, path) => {
    if (value === false) return false;
    const given = readOptions(retryTopicsTable, value, path);
    if (isGiven(given['delays'])) return given;
    throw invalidValue(`${path}.delays`, delays.text, undefined);
  },
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
      doc: 'The topic for messages that have failed for good: a name, or a function of the message (as from `KafkaContext.getMessage()`; topic, partition, offset and timestamp are those before any retry topic) and the handler’s error.',
    },
    {
      name: 'maxAttempts',
      check: integer(1),
      default: 3,
      handling: layer,
      doc: 'Deliveries of a message, the first included, before it is dead-lettered.',
    },
    {
      name: 'retryTopics',
      check: retryTopics,
      defaultText: 'off',
      handling: layer,
      doc: 'Retry topics, in which a message waits for further deliveries before it is dead-lettered, while its partition goes on. With them, `maxAttempts` counts the deliveries before the first retry topic, and defaults to 1. `false`: none, also where the server has some.',
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
      doc: 'Errors after which a message is dead-lettered at once: classes or names, subclasses included, or a function of the error. Replaces the default.',
    },
  ],
};
