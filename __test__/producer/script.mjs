// A program without NestJS: it sends, reads back, and ends by itself. Run by script.test.ts, and over TLS by security.test.ts.

import { Kafka, logLevel, Partitioners } from 'nestjs-kafka-native';

const [, , brokers, topic, ssl] = process.argv;
const kafka = new Kafka({
  clientId: 'script',
  brokers: [brokers],
  logLevel: logLevel.ERROR,
  ssl: ssl !== undefined,
});

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
await admin.disconnect();

const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
const consumer = kafka.consumer({ groupId: topic });
await Promise.all([producer.connect(), consumer.connect()]);
await consumer.subscribe({ topics: [topic], fromBeginning: true });
const read = new Promise((resolve) => {
  void consumer.run({ eachMessage: async ({ message }) => resolve(String(message.value)) });
});
await producer.send({ topic, messages: [{ key: 'k', value: 'hello' }] });
kafka.logger().debug('not shown');
console.log(await read);
await Promise.all([producer.disconnect(), consumer.disconnect()]);
