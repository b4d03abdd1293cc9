import { Kafka, logLevel } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { expect, test } from 'vitest';

// No Kafka here: in which order reports and the end of a producer reach JavaScript.

/** Lets nothing else run for so many milliseconds. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test('a message that was delivered is not told of as lost because the event loop was behind', async () => {
  await using slow = MockKafka.start();
  await using kafka = MockKafka.start({ topics: { orders: 1 } });
  const client = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING });
  const admin = new Kafka({ brokers: slow.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  slow.setLatency(200);
  try {
    for (let round = 0; round < 10; round++) {
      // Asked before the producer is made, answered after: libuv looks for answers of calls in such a turn.
      const earlier = admin.listTopics();
      const producer = client.producer();
      await producer.connect();
      await earlier;
      const sent = producer.send({ topic: 'orders', messages: [{ value: 'an order' }] });
      const closed = producer.disconnect();
      // Until the report and the end are both there.
      setImmediate(() => block(100));
      await expect(sent).resolves.toMatchObject([{ topicName: 'orders', errorCode: 0 }]);
      await closed;
    }
  } finally {
    await admin.disconnect();
  }
});
