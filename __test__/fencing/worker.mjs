// A member of a group that begins a transaction for the first record of each partition that it is given, and ends it when it is told
// to. What argv[2] says decides how it names itself in sendOffsets().
import { Kafka, logLevel } from 'nestjs-kafka-native';

const { brokers, group, topic, output, consumerConfig, by } = JSON.parse(process.argv[2]);
const kafka = new Kafka({ clientId: 'worker', brokers, logLevel: logLevel.NOTHING });
const producer = kafka.producer({
  transactionalId: `${group}-worker`,
  idempotent: true,
  maxInFlightRequests: 1,
});
const consumer = kafka.consumer({ groupId: group, ...consumerConfig });

const told = new Promise((resolve) => {
  process.once('message', resolve);
});

async function work(partition, offset) {
  const transaction = await producer.transaction();
  await transaction.send({ topic: output, messages: [{ value: 'of the zombie' }] });
  process.send({ reading: partition });
  await told;
  const who = by === 'consumer' ? { consumer } : { consumerGroupId: group };
  const next = { partition, offset: String(BigInt(offset) + 1n) };
  try {
    await transaction.sendOffsets({ ...who, topics: [{ topic, partitions: [next] }] });
    await transaction.commit();
    process.send({ ended: 'committed' });
  } catch (error) {
    await transaction.abort().catch(() => undefined);
    process.send({ ended: error.type ?? error.message });
  }
}

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 1,
  eachMessage: ({ partition, message }) => work(partition, message.offset),
});
