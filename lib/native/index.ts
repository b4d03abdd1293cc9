/**
 * The only importer of the binding. Its classes are handles: this package's own classes wrap them, and what fails in them comes back
 * as data that becomes an error here, in JavaScript's realm and with a stack of its own.
 *
 * @packageDocumentation
 */
import type { Failure } from 'nestjs-kafka-native/native';
import {
  isKafkaError,
  kafkaErrorFromNative,
  KafkaJSNonRetriableError,
  type KafkaJSError,
} from '../kafkajs/errors/index.js';

export { NativeAdmin, NativeConsumer, NativeMockCluster, NativeProducer } from 'nestjs-kafka-native/native';
export type {
  Failure,
  NativeAclFilter,
  NativeAdminOptions,
  NativeAssigner,
  NativeConfigResource,
  NativeConsumerSettings,
  NativeMemberAssignment,
  NativeMetadata,
  NativeOffset,
  NativeOutcome,
  NativePartitionOffset,
  NativeRights,
  NativeStanding,
  NativeSubscription,
} from 'nestjs-kafka-native/native';

const isFailure = (value: unknown): value is Failure =>
  typeof value === 'object' && value !== null && 'code' in value && 'operation' in value;

/** The error of a call that failed. */
export function errorOf(failure: Failure): KafkaJSError {
  return kafkaErrorFromNative({
    code: failure.code,
    message: `${failure.operation}: ${failure.message}`,
    ...(failure.fatal ? { fatal: true } : {}),
  });
}

/**
 * What a call has answered, made anew by this module's own realm. The binding makes its objects in the process's first one, so that
 * where modules run in another, as in Jest, its arrays would be no `Array` and its objects equal to no literal. Buffers are Node.js's
 * everywhere. What is handed to an application comes through here, or from text.
 */
function ownCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return Array.from(value as unknown[], ownCopy);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, ownCopy(item)]));
}

/** The value of a call, or its error thrown. */
export function valueOf<T>(result: T | Failure | null | undefined): T {
  if (isFailure(result)) throw errorOf(result);
  return ownCopy(result) as T;
}

/** What the binding itself throws, of an argument that it does not take, is of the process's first realm too. */
function ownError(error: unknown): unknown {
  if (isKafkaError(error)) return error;
  const { message } = error as Error;
  return new KafkaJSNonRetriableError(message);
}

/** Runs a call that throws its failure as JSON text (constructors and synchronous methods do). */
export function call<T>(run: () => T): T {
  try {
    return run();
  } catch (e) {
    let failure: unknown;
    try {
      failure = JSON.parse((e as Error).message);
    } catch {
      throw ownError(e);
    }
    throw isFailure(failure) ? errorOf(failure) : ownError(e);
  }
}

/** Awaits a call and returns its value; what it fails with, of its arguments too, is an error of this package. */
export async function answerOf<T>(ask: () => Promise<T | Failure | null | undefined>): Promise<T> {
  let result: T | Failure | null | undefined;
  try {
    result = await ask();
  } catch (e) {
    throw ownError(e);
  }
  return valueOf<T>(result);
}
