import { librdkafkaFetch } from '../fetch.mjs';
import { failure } from '../raw.mjs';
import { loadConfluent } from '../rivals.mjs';

/** The largest batch that this client may build. */
const LARGEST_BATCH = 1000;

export async function createProducer({ brokers, topic, acks }) {
  const { Kafka, logLevel } = await loadConfluent();
  const kafka = new Kafka({ kafkaJS: { clientId: 'bench', brokers, logLevel: logLevel.ERROR } });
  const producer = kafka.producer({ kafkaJS: { acks }, 'linger.ms': 0 });
  await producer.connect();
  return {
    send: (messages) => producer.send({ topic, messages }),
    close: () => producer.disconnect(),
  };
}

export async function createConsumer({ brokers, topic, group, batches, fetch, autoCommit }, handle) {
  const { Kafka, logLevel } = await loadConfluent();
  const kafka = new Kafka({ kafkaJS: { clientId: 'bench', brokers, logLevel: logLevel.ERROR } });
  const consumer = kafka.consumer({
    kafkaJS: { groupId: group, fromBeginning: true },
    'js.consumer.max.batch.size': LARGEST_BATCH,
    ...librdkafkaFetch(fetch),
    ...(autoCommit === false && { 'enable.auto.commit': false }),
  });
  const { failed } = failure(); // It restarts by itself without reporting it.
  await consumer.connect();
  const eachMessage = async ({ message }) => handle(message.value);
  const eachBatch = async ({ batch }) => {
    for (const { value } of batch.messages) handle(value);
  };
  return {
    failed,
    async start() {
      await consumer.subscribe({ topics: [topic] });
      await consumer.run(batches ? { eachBatch } : { eachMessage });
    },
    close: () => consumer.disconnect(),
  };
}
