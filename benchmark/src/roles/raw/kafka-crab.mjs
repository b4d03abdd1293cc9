import { LIBRDKAFKA_FETCH } from '../fetch.mjs';
import { failure } from '../raw.mjs';
import { loadRival } from '../rivals.mjs';

const { KafkaClient } = await loadRival('kafka-crab', 'kafka-crab-js');

/** The values of its own benchmark, which its documentation recommends to start with. */
const BATCH = { batchSize: 1000, batchTimeout: 5 };

const client = ({ brokers }) =>
  new KafkaClient({ clientId: 'bench', brokers: brokers.join(','), diagnostics: false });

export async function createProducer({ brokers, topic }) {
  const producer = client({ brokers }).createProducer({
    configuration: { acks: 'all', 'linger.ms': '0' },
  });
  return {
    send: (values) =>
      producer.send({ topic, messages: values.map((value) => ({ payload: Buffer.from(value) })) }),
    close: () => producer.flush(),
  };
}

export async function createConsumer({ brokers, topic, group, batches }, handle) {
  const { consumer, stream } = client({ brokers }).createWebStreamConsumer({
    groupId: group,
    enableAutoCommit: true,
    configuration: { 'auto.offset.reset': 'earliest', ...LIBRDKAFKA_FETCH },
    ...(batches ? BATCH : {}),
  });
  const { failed, fail } = failure();
  const reader = stream.getReader();

  async function read() {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (batches) for (const { payload } of next.value) handle(payload);
      else handle(next.value.payload);
    }
  }
  return {
    failed,
    async start() {
      await consumer.subscribe(topic);
      read().catch(fail);
    },
    async close() {
      await reader.cancel();
      await consumer.disconnect();
    },
  };
}
