import { RETRY_DEFAULTS, resolveRetry, totalRetryTime } from '../kafkajs/retry/retry.js';
import { callback, decimal, integer, milliseconds } from './checks.js';
import { layer, type Context, type OptionTable, type Properties } from './table.js';
import { type Given } from './given.js';
import { clamp } from './translate.js';

/** `retry` of client, consumer, producer and admin. */
export const retryTable: OptionTable = {
  path: 'retry',
  rows: [
    {
      name: 'initialRetryTime',
      check: milliseconds(),
      default: RETRY_DEFAULTS.initialRetryTime,
      handling: layer,
      doc: 'The wait before the first retry.',
    },
    {
      name: 'maxRetryTime',
      check: milliseconds(),
      default: RETRY_DEFAULTS.maxRetryTime,
      handling: layer,
      doc: 'The longest wait.',
    },
    {
      name: 'factor',
      check: decimal(0),
      default: RETRY_DEFAULTS.factor,
      handling: layer,
      doc: 'How much waits vary at random, as a share; for retried handlers (librdkafka’s own retries vary by 20 %).',
    },
    {
      name: 'multiplier',
      check: decimal(0),
      default: RETRY_DEFAULTS.multiplier,
      handling: layer,
      doc: 'Factor from one wait to the next; for retried handlers (librdkafka’s own waits double).',
    },
    {
      name: 'retries',
      check: integer(),
      default: RETRY_DEFAULTS.retries,
      handling: layer,
      doc: 'Retries before giving up.',
    },
    {
      name: 'restartOnFailure',
      check: callback,
      handling: layer,
      doc: 'Called after a consumer has crashed; resolves to whether to restart it. Restarts without it.',
    },
  ],
};

const FROM_INITIAL = ['retry.backoff.ms', 'reconnect.backoff.ms'];
const FROM_MAX = ['retry.backoff.max.ms', 'reconnect.backoff.max.ms'];

/** The properties that {@link backoffProperties} sets. */
export const BACKOFF_PROPERTIES: readonly string[] = [...FROM_INITIAL, ...FROM_MAX];

/** The properties that given retry options set explicitly. */
export function explicitBackoff(retry: Given): string[] {
  return [
    ...('initialRetryTime' in retry ? FROM_INITIAL : []),
    ...('maxRetryTime' in retry ? FROM_MAX : []),
    ...('retries' in retry ? ['message.send.max.retries'] : []),
  ];
}

const MAX_BACKOFF = 300_000;
const MAX_RECONNECT_BACKOFF = 10_000;
export const INT32_MAX = 2_147_483_647;

/**
 * Waits between attempts of a request and of a connection.
 *
 * The default maximum is below kafkajs's 30 s: librdkafka also looks for a partition's new leader in these steps, and
 * a returning broker should be found within a second or two.
 */
export function backoffProperties(retry: Given | undefined, role: Context['role']): Properties {
  const initial = retry?.['initialRetryTime'] as number | undefined;
  const max = retry?.['maxRetryTime'] as number | undefined;
  const produces = role === 'producer';
  const request = clamp(initial ?? (produces ? 300 : 100), 1, MAX_BACKOFF);
  const requestMax = clamp(max ?? (produces ? 2000 : 1000), request, MAX_BACKOFF);
  const connect = clamp(initial ?? 100, 0, MAX_RECONNECT_BACKOFF);
  const connectMax = clamp(max ?? 2000, connect, MAX_RECONNECT_BACKOFF);
  return {
    'retry.backoff.ms': String(request),
    'retry.backoff.max.ms': String(requestMax),
    'reconnect.backoff.ms': String(connect),
    'reconnect.backoff.max.ms': String(connectMax),
  };
}

/**
 * The delivery time-out of a message: all waits of kafkajs's retries and one request time-out, 39.3 s by default.
 *
 * kafkajs takes from about 10 s (nothing listens) to 190 s (a broker accepts connections and does not answer, six
 * times) to fail. librdkafka does not count attempts that it could not send, so the total time has to be limited.
 */
export function deliveryTimeout(retries: readonly (Given | undefined)[], requestTimeout: number): number {
  const total = totalRetryTime(resolveRetry(...retries)) + requestTimeout;
  return clamp(Math.min(total, INT32_MAX), 1, INT32_MAX);
}
