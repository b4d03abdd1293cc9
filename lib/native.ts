/**
 * The only importer of the binding. Its classes are handles: this package's own classes wrap them, and what fails in them comes back
 * as data that becomes an error here, in JavaScript's realm and with a stack of its own.
 *
 * @packageDocumentation
 */
import { NativeAdmin, NativeConsumer, NativeMockCluster, NativeProducer } from 'nestjs-kafka-native/native';
import type {
  Failure,
  NativeAclFilter,
  NativeAdminOptions,
  NativeAssigner,
  NativeConfigResource,
  NativeConsumerSettings,
  NativeEnsuredTopics,
  NativeMemberAssignment,
  NativeMetadata,
  NativeOffset,
  NativeOutcome,
  NativePartitionOffset,
  NativeSubscription,
  NativeTopic,
} from 'nestjs-kafka-native/native';
import { kafkaErrorFromNative, type KafkaJSError } from './kafkajs/errors.js';

export { NativeAdmin, NativeConsumer, NativeMockCluster, NativeProducer };
export type {
  Failure,
  NativeAclFilter,
  NativeAdminOptions,
  NativeAssigner,
  NativeConfigResource,
  NativeConsumerSettings,
  NativeEnsuredTopics,
  NativeMemberAssignment,
  NativeMetadata,
  NativeOffset,
  NativeOutcome,
  NativePartitionOffset,
  NativeSubscription,
  NativeTopic,
};

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

/** The value of a call, or its error thrown. */
export function valueOf<T>(result: T | Failure | null | undefined): T {
  if (isFailure(result)) throw errorOf(result);
  return result as T;
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
      throw e;
    }
    throw isFailure(failure) ? errorOf(failure) : e;
  }
}
