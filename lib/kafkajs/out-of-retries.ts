import { KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded, type KafkaJSError } from './errors.js';
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
