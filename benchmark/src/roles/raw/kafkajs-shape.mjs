/** A raw candidate with kafkajs's calls: kafkajs itself, and this package, with one code for both. */
import { kafkajsFetch } from '../fetch.mjs';
import { failure } from '../raw.mjs';

/** @param {(config: { brokers: string[] }) => import('kafkajs').Kafka} createKafka */
export function kafkajsClient(createKafka) {
  return {
    async createProducer(config) {
      const producer = createKafka(config).producer();
      await producer.connect();
      return {
        send: (messages) => producer.send({ topic: config.topic, acks: config.acks, messages }),
        close: () => producer.disconnect(),
      };
    },

    async createConsumer(config, handle) {
      const consumer = createKafka(config).consumer({ groupId: config.group, ...kafkajsFetch(config.fetch) });
      const { failed, fail } = failure();
      await consumer.connect();
      consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
      const eachMessage = async ({ message }) => handle(message.value);
      const eachBatch = async ({ batch }) => {
        for (const { value } of batch.messages) handle(value);
      };
      return {
        failed,
        async start() {
          await consumer.subscribe({ topics: [config.topic], fromBeginning: true });
          const { autoCommit } = config;
          await consumer.run(config.batches ? { eachBatch, autoCommit } : { eachMessage, autoCommit });
        },
        close: () => consumer.disconnect(),
      };
    },
  };
}
