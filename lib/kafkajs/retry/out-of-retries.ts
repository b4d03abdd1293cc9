import {
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  type KafkaJSError,
  type KafkaJSProtocolError,
} from '../errors/index.js';
import { retryTimeOf, type ResolvedRetry } from './retry.js';

/**
 * The error that kafkajs rejects with after its last retry, around the last error. librdkafka has already retried for
 * as long as its options allow.
 */
export function outOfRetries(error: KafkaJSError, retry: ResolvedRetry): KafkaJSError {
  const { retriable, fatal } = error;
  if (!retriable) return new KafkaJSNonRetriableError(error, { cause: error, fatal });
  const { retries: retryCount } = retry;
  return new KafkaJSNumberOfRetriesExceeded(error, { retryCount, retryTime: retryTimeOf(retry, retryCount) });
}

/** The error of a consumer that could not join, or find its positions, within the time of its retries. */
export function retriesExceeded(
  last: KafkaJSError,
  message: string,
  retry: ResolvedRetry,
): KafkaJSNumberOfRetriesExceeded {
  const { retries: retryCount } = retry;
  const error = new KafkaJSNumberOfRetriesExceeded(last, {
    retryCount,
    retryTime: retryTimeOf(retry, retryCount),
  });
  const { type, code } = last as Partial<KafkaJSProtocolError>;
  // kafkajs's text of an error code does not say which request failed.
  error.message = type === undefined ? message : `${message} (${type}, code ${code})`;
  return error;
}
