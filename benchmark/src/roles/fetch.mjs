/**
 * How much every candidate fetches: kafkajs's defaults. At least one byte, at most 1 MiB of a partition and 10 MiB in
 * all; a broker without records answers after 5 s.
 */
export const FETCH = { minBytes: 1, maxBytes: 10_485_760, maxBytesPerPartition: 1_048_576, maxWaitMs: 5000 };

const { minBytes, maxBytes, maxBytesPerPartition, maxWaitMs } = FETCH;

/** The same as options of kafkajs's consumer. */
export const KAFKAJS_FETCH = { minBytes, maxBytes, maxBytesPerPartition, maxWaitTimeInMs: maxWaitMs };

/** The same as properties of librdkafka. */
export const LIBRDKAFKA_FETCH = {
  'fetch.min.bytes': minBytes,
  'fetch.max.bytes': maxBytes,
  'max.partition.fetch.bytes': maxBytesPerPartition,
  'fetch.wait.max.ms': maxWaitMs,
};
