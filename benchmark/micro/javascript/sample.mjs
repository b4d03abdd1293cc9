// The records that are measured with: the same as in ../rust/sample.rs.

const VALUE_BYTES = 200;
const EMPTY = { id: 123_456, text: '' };

/** A handler's payload and result: a JSON object of 200 bytes, all ASCII. */
export const OBJECT = { ...EMPTY, text: 'x'.repeat(VALUE_BYTES - JSON.stringify(EMPTY).length) };

export const JSON_TEXT = JSON.stringify(OBJECT);

/** Text of the same size that is not JSON. */
export const TEXT = 'x'.repeat(VALUE_BYTES);

/** The headers that a request of NestJS's clients carries. */
export const HEADERS = {
  kafka_correlationId: '4f1c2d3e5a6b7c8d9e0f1a-2f-1c',
  kafka_replyTopic: 'orders.reply',
  kafka_replyPartition: '3',
};

/** As many as a partition hands out at once: a single one takes less time than a timer can measure. */
export const RECORDS = 1024;
