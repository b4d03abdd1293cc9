import { answerOf, type Failure, type NativeAdmin, type NativeAdminOptions } from '../../native/index.js';
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
}

/** kafkajs's default for how long the broker may take to do what it is asked. */
const OPERATION_TIMEOUT = 5000;

/** Options of a request that asks. */
export function asking({ requestTimeoutMs }: AdminContext): NativeAdminOptions {
  return { requestTimeout: requestTimeoutMs };
}

/** Options of a request that changes something. The answer is awaited for longer than the broker may take. */
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

/** The error of a code that a broker gave for one of the things asked for. */
export function errorOfCode(code: number, message = ''): KafkaJSError {
  return kafkaErrorFromNative({ code, message });
}

/** Throws the first error, of the names in kafkajs's order. */
export function throwFirst(outcomes: readonly { name: string; code: number; message: string }[]): void {
  const failed = outcomes.filter(({ code }) => code !== 0);
  const [first] = failed.toSorted((a, b) => a.name.localeCompare(b.name));
  if (first) throw errorOfCode(first.code, first.message);
}

/** Resolves after `ms`. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** The type of a protocol error. */
export function typeOf(error: unknown): string | undefined {
  return (error as { type?: string } | undefined)?.type;
}

/** Types of errors of a group whose coordinator is being elected, or has just been and does not know yet. */
const COORDINATOR_TYPES: readonly string[] = [
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
];

/** Calls again while a group's coordinator is on the move: librdkafka does not when it says so of single partitions or groups. */
export const onCoordinator = <T>(context: AdminContext, call: () => Promise<T>): Promise<T> =>
  retrying(context, COORDINATOR_TYPES, call);

/**
 * Looks at a group. Where this client may not, kafkajs is refused when it asks for the group's coordinator, and says that it does not
 * find one; the reason is the `cause` here.
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
 * Calls again, with kafkajs's waits, while the error is one of `types`. Errors of connections are librdkafka's to retry.
 */
export async function retrying<T>(
  { retry }: AdminContext,
  types: readonly string[],
  call: () => Promise<T>,
  onFailure?: (error: KafkaJSError, retryCount: number, retryTime: number) => void,
): Promise<T> {
  let retryTime = firstRetryTime(retry);
  for (let retryCount = 0; ; retryCount++) {
    try {
      return await call();
    } catch (error) {
      if (!types.includes(typeOf(error) ?? '')) throw error;
      onFailure?.(error as KafkaJSError, retryCount, retryTime);
      if (!shouldRetry(retry, retryCount)) {
        throw new KafkaJSNumberOfRetriesExceeded(error as Error, { retryCount, retryTime });
      }
      await pause(retryTime);
      retryTime = nextRetryTime(retry, retryTime);
    }
  }
}
