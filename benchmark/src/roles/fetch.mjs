/**
 * How much every candidate fetches: kafkajs's defaults. At least one byte, at most 1 MiB of a partition and 10 MiB in
 * all; a broker without records answers after 5 s.
 */
export const FETCH = { minBytes: 1, maxBytes: 10_485_760, maxBytesPerPartition: 1_048_576, maxWaitMs: 5000 };

/** librdkafka's default of `message.max.bytes`. */
const LIBRDKAFKA_MESSAGE_BYTES = 1_000_000;

/** These, or others, as options of kafkajs's consumer. */
export function kafkajsFetch({ minBytes, maxBytes, maxBytesPerPartition, maxWaitMs } = FETCH) {
  return { minBytes, maxBytes, maxBytesPerPartition, maxWaitTimeInMs: maxWaitMs };
}

/** The same as properties of librdkafka. */
export function librdkafkaFetch({ minBytes, maxBytes, maxBytesPerPartition, maxWaitMs } = FETCH) {
  return {
    'fetch.min.bytes': minBytes,
    'fetch.max.bytes': maxBytes,
    // librdkafka refuses to fetch less than a message may have.
    ...(maxBytes < LIBRDKAFKA_MESSAGE_BYTES && { 'message.max.bytes': maxBytes }),
    'max.partition.fetch.bytes': maxBytesPerPartition,
    'fetch.wait.max.ms': maxWaitMs,
  };
}
