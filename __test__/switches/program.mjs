// Sends and reads what each part that rests on librdkafka's private structures has a hand in, and prints what it saw.

import { Kafka, logLevel } from 'nestjs-kafka-native';

const [, , brokers, topic, below] = process.argv;
const kafka = new Kafka({ clientId: 'switches', brokers: brokers.split(','), logLevel: logLevel.NOTHING });

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({
  // Its messages have timestamps of years ago, which a broker would delete whenever it looks.
  topics: [
    { topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '-1' }] },
    { topic: `${topic}-headers` },
  ],
  waitForLeaders: true,
});

const producer = kafka.producer();
await producer.connect();
const headers = { text: 'a', many: ['b', 'c'], empty: '' };
await producer.send({ topic, timeout: 20_000, messages: [{ key: 'k', partition: 0, value: '0', headers }] });
const plain = Array.from({ length: 20 }, (_, n) => ({ partition: 0, value: String(n + 1) }));
await producer.send({ topic, messages: plain });
const atEpoch = await producer
  .send({ topic, messages: [{ partition: 1, value: 'first', timestamp: '0' }] })
  .then(
    () => 'sent',
    (error) => error.message,
  );
await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });

const consumer = kafka.consumer({ groupId: topic });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const seen = { headers: undefined, values: [], again: [], other: [], timestamp: undefined, crashes: [] };
consumer.on(consumer.events.CRASH, ({ payload }) => seen.crashes.push(payload.error.message));
let phase = 'values';
const ended = deferred();
const last = deferred();
await consumer.run({
  eachMessage: async ({ partition, message }) => {
    if (partition === 1) {
      seen.other.push(String(message.value));
      seen.timestamp ??= message.timestamp;
      if (String(message.value) === 'last') last.resolve();
      return;
    }
    seen[phase].push(Number(message.value));
    if (Number(message.value) < 20) return;
    if (phase === 'again' || below === 'stays') {
      ended.resolve();
      return;
    }
    // Below what the log has: the partition is fetched no more until it is told where to go on.
    phase = 'again';
    consumer.seek({ topic, partition: 0, offset: '2' });
  },
});
await ended.promise;
// What was read of the other partition before does not come again.
await producer.send({ topic, messages: [{ partition: 1, value: 'last', timestamp: '1' }] });
await last.promise;
await consumer.disconnect();

// A second topic, for its headers alone: the records of the first that had any are deleted.
const reader = kafka.consumer({ groupId: `${topic}-headers` });
await reader.connect();
await reader.subscribe({ topic: `${topic}-headers`, fromBeginning: true });
await producer.send({ topic: `${topic}-headers`, messages: [{ key: 'k', value: '0', headers }] });
const read = deferred();
await reader.run({ eachMessage: async ({ message }) => read.resolve(message.headers) });
const texts = (value) => (Array.isArray(value) ? value.map(String) : String(value));
seen.headers = Object.fromEntries(
  Object.entries(await read.promise).map(([name, value]) => [name, texts(value)]),
);
await Promise.all([reader.disconnect(), producer.disconnect(), admin.disconnect()]);
console.log(JSON.stringify({ ...seen, atEpoch }));

function deferred() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
