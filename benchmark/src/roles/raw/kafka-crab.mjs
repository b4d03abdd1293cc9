import { librdkafkaFetch } from '../fetch.mjs';
import { failure } from '../raw.mjs';
import { loadRival } from '../rivals.mjs';

const { KafkaClient } = await loadRival('kafka-crab', 'kafka-crab-js');

/** The values that its documentation recommends to start with. */
const BATCH = { batchSize: 1000, batchTimeout: 5 };
/** Those of its own benchmark. */
const OWN_BATCH = { batchSize: 4096, batchTimeout: 2 };
const OWN_SERIAL = { serialPrefetchSize: 64, serialPrefetchTimeout: 5 };

const client = ({ brokers }) =>
  new KafkaClient({ clientId: 'bench', brokers: brokers.join(','), diagnostics: false });

export async function createProducer({ brokers, topic, acks }) {
  const producer = client({ brokers }).createProducer({
    configuration: { acks: String(acks), 'linger.ms': '0' },
  });
  return {
    send: (messages) => producer.send({ topic, messages: messages.map(record) }),
    close: () => producer.flush(),
  };
}

/** A message in its form, which takes bytes. */
function record({ key, value, headers, partition }) {
  return {
    payload: Buffer.from(value),
    ...(key !== undefined && { key: Buffer.from(key) }),
    ...(headers !== undefined && {
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
    }),
    ...(partition !== undefined && { partition }),
  };
}

export async function createConsumer({ brokers, topic, group, batches, fetch, autoCommit = true }, handle) {
  const [batch, serial] = fetch === undefined ? [BATCH, {}] : [OWN_BATCH, OWN_SERIAL];
  const { consumer, stream } = client({ brokers }).createWebStreamConsumer({
    groupId: group,
    enableAutoCommit: autoCommit,
    configuration: { 'auto.offset.reset': 'earliest', ...librdkafkaFetch(fetch) },
    ...(batches ? batch : serial),
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
