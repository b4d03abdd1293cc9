import { FETCH } from '../fetch.mjs';
import { failure } from '../raw.mjs';
import { loadRival } from '../rivals.mjs';

const { Consumer, MessagesStreamFallbackModes, MessagesStreamModes, Producer, stringSerializers } =
  await loadRival('platformatic', '@platformatic/kafka');

export async function createProducer({ brokers, topic, acks }) {
  const producer = new Producer({
    clientId: 'bench',
    bootstrapBrokers: brokers,
    serializers: stringSerializers,
  });
  return {
    send: (messages) => producer.send({ acks, messages: messages.map((message) => ({ topic, ...message })) }),
    close: () => producer.close(),
  };
}

/** It has no batches, only a stream of messages. */
export async function createConsumer(
  { brokers, topic, group, batches, fetch = FETCH, autoCommit = true },
  handle,
) {
  if (batches) throw Object.assign(new Error('it has no batches'), { name: 'NotSupported' });
  const consumer = new Consumer({
    clientId: 'bench',
    bootstrapBrokers: brokers,
    groupId: group,
    minBytes: fetch.minBytes,
    maxBytes: fetch.maxBytes,
    maxBytesPerPartition: fetch.maxBytesPerPartition,
    maxWaitTime: fetch.maxWaitMs,
  });
  const { failed, fail } = failure();
  let stream;
  return {
    failed,
    async start() {
      stream = await consumer.consume({
        autocommit: autoCommit,
        topics: [topic],
        mode: MessagesStreamModes.COMMITTED,
        fallbackMode: MessagesStreamFallbackModes.EARLIEST,
      });
      stream.on('error', fail);
      stream.on('data', ({ value }) => handle(value));
    },
    async close() {
      await stream?.close();
      await consumer.close();
    },
  };
}
