import {
  answerOf,
  type Failure,
  type NativeAdmin,
  type NativeAdminOptions,
  type NativePartitionOffset,
} from '../../native/index.js';
import { localErrorCodes } from '../errors/codes.js';
import {
  KafkaJSGroupCoordinatorNotFound,
  KafkaJSNumberOfRetriesExceeded,
  kafkaErrorFromNative,
  type KafkaJSError,
} from '../errors/index.js';
import { firstRetryTime, nextRetryTime, shouldRetry, type ResolvedRetry } from '../retry/retry.js';
import type { Logger } from '../types/index.js';

/** What an admin call works with. */
export interface AdminContext {
  /** The connected client; throws when there is none. */
  readonly native: () => NativeAdmin;
  readonly logger: Logger;
  readonly retry: ResolvedRetry;
  readonly requestTimeoutMs: number;
  /** Resolves after `ms`, before a call is repeated because of `cause`; rejects as soon as the client is disconnected. */
  readonly rest: (ms: number, cause: unknown) => Promise<void>;
}

/** kafkajs's default for how long a broker may take for an operation, in milliseconds. */
const OPERATION_TIMEOUT = 5000;

/** Options of a request that only reads. */
export function asking({ requestTimeoutMs }: AdminContext): NativeAdminOptions {
  return { requestTimeout: requestTimeoutMs };
}

/** Options of a request that changes something. The time limit for the answer is longer than the broker may take. */
export function changing(
  { requestTimeoutMs }: AdminContext,
  { timeout, validateOnly }: { timeout?: number; validateOnly?: boolean },
): NativeAdminOptions {
  const operationTimeout = timeout ?? OPERATION_TIMEOUT;
  return {
    requestTimeout: requestTimeoutMs + operationTimeout,
    operationTimeout,
    validateOnly: Boolean(validateOnly),
  };
}

/** Makes a request. */
export async function ask<T>(
  { native }: AdminContext,
  request: (client: NativeAdmin) => Promise<T | Failure>,
): Promise<T> {
  const client = native();
  return answerOf<T>(() => request(client));
}

/** The error for a broker's error code of one topic, group or resource. */
export function errorOfCode(code: number, message = ''): KafkaJSError {
  return kafkaErrorFromNative({ code, message });
}

/** The error of a partition, which has no text. Where the broker did not answer, the text says of which partition it did not. */
export function errorOfPartition({ topic, partition, code }: NativePartitionOffset): KafkaJSError {
  const local = localErrorCodes.get(code)?.[0];
  return errorOfCode(code, local && `partition ${partition} of topic ${topic}: ${local}`);
}

/** Throws the first error, of the names in kafkajs's order. */
export function throwFirst(outcomes: readonly { name: string; code: number; message: string }[]): void {
  const failed = outcomes.filter(({ code }) => code !== 0);
  const [first] = failed.toSorted((a, b) => a.name.localeCompare(b.name));
  if (first) throw errorOfCode(first.code, first.message);
}

/** How many requests of one call are made at once, as the core does: the time limit of each counts from when it is made. */
const AT_ONCE = 8;

/** The results of a call for each item, in their order. */
export async function each<T, R>(items: readonly T[], call: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const open = [...items.entries()].toReversed();
  const work = async (): Promise<void> => {
    for (let next = open.pop(); next; next = open.pop()) results[next[0]] = await call(next[1]);
  };
  const workers = Array.from({ length: AT_ONCE }, work);
  try {
    await Promise.all(workers);
  } finally {
    open.length = 0;
  }
  return results;
}

/** The type of a protocol error. */
export function typeOf(error: unknown): string | undefined {
  return (error as { type?: string } | undefined)?.type;
}

/** Error types while a group's coordinator moves: it is being elected, or is still loading the group. */
export const COORDINATOR_TYPES: readonly string[] = [
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
];

/**
 * Retries while a group's coordinator is moving: librdkafka does not retry such errors of single partitions or
 * groups.
 */
export const onCoordinator = <T>(context: AdminContext, call: () => Promise<T>): Promise<T> =>
  retrying(context, COORDINATOR_TYPES, call);

/**
 * Reads data of a group. Without authorization kafkajs already fails to find the group's coordinator, and so does
 * this; the reason is the error's `cause`.
 */
export async function lookingAtGroup<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (typeOf(error) !== 'GROUP_AUTHORIZATION_FAILED') throw error;
    throw new KafkaJSGroupCoordinatorNotFound('Failed to find group coordinator', { cause: error as Error });
  }
}

/**
 * Retries, with kafkajs's back-off, while the error is one of `types`: types of protocol errors, names of classes, or a function.
 * Connections that fail are made again by librdkafka.
 */
export async function retrying<T>(
  { retry, rest }: AdminContext,
  types: readonly string[] | ((error: KafkaJSError) => boolean),
  call: () => Promise<T>,
  onFailure?: (error: KafkaJSError, retryCount: number, retryTime: number) => void,
): Promise<T> {
  const isOne =
    typeof types === 'function'
      ? types
      : (error: KafkaJSError): boolean => types.includes(typeOf(error) ?? error.name);
  let retryTime = firstRetryTime(retry);
  for (let retryCount = 0; ; retryCount++) {
    try {
      return await call();
    } catch (error) {
      if (!isOne(error as KafkaJSError)) throw error;
      onFailure?.(error as KafkaJSError, retryCount, retryTime);
      if (!shouldRetry(retry, retryCount)) {
        throw new KafkaJSNumberOfRetriesExceeded(error as Error, { retryCount, retryTime });
      }
      await rest(retryTime, error);
      retryTime = nextRetryTime(retry, retryTime);
    }
  }
}
