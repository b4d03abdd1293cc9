import {
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  type KafkaJSError,
  type KafkaJSProtocolError,
} from '../errors/index.js';
import { retryTimeOf, type ResolvedRetry } from './retry.js';

/**
 * What kafkajs's retries reject with in the end: an error around the last one. librdkafka has tried again whatever may be, for as
 * long as it may.
 */
export function outOfRetries(error: KafkaJSError, retry: ResolvedRetry): KafkaJSError {
  const { retriable, fatal } = error;
  if (!retriable) return new KafkaJSNonRetriableError(error, { cause: error, fatal });
  const { retries: retryCount } = retry;
  return new KafkaJSNumberOfRetriesExceeded(error, { retryCount, retryTime: retryTimeOf(retry, retryCount) });
}

/** What a consumer ends with that could not join, or find its positions, for as long as its retries take. */
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
  // kafkajs's text of a code does not say which request it has answered.
  error.message = type === undefined ? message : `${message} (${type}, code ${code})`;
  return error;
}
