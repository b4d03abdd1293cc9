/**
 * The only importer of the binding. Its classes are wrapped by this package's own. Their failures are returned as
 * data, from which errors are created here, in this module's realm and with a JavaScript stack.
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
  NativeFoundGroup,
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
 * A copy of a call's result in this module's realm. The binding creates objects in the process's main realm. Where
 * modules run in another one, as in Jest, its arrays would not be `instanceof Array` and its objects would not equal
 * literals. Buffers are the same in all realms. Everything for the application is copied here or parsed from text.
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

/** A copy of an error that the binding throws for an invalid argument, which is of the main realm too. */
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

/** Awaits a call and returns its value; failures, also those of invalid arguments, are errors of this package. */
export async function answerOf<T>(ask: () => Promise<T | Failure | null | undefined>): Promise<T> {
  let result: T | Failure | null | undefined;
  try {
    result = await ask();
  } catch (e) {
    throw ownError(e);
  }
  return valueOf<T>(result);
}
