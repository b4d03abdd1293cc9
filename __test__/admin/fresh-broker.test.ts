import { expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { unique } from '../harness/broker';
import { nativeAdmin } from './pair';
import '../harness/wait';

// Brokers that are not (yet) the coordinator of the group once crashed librdkafka, and the process with it.
test('groups can be asked for while a broker makes their coordinators', { timeout: 180_000 }, async () => {
  for (let round = 0; round < 3; round++) {
    await using broker = await startBroker();
    const clients = Array.from({ length: 4 }, () => nativeAdmin([broker.brokers]));
    await Promise.all(clients.map((client) => client.connect()));
    const topic = unique('fresh');
    await clients[0]?.createTopics({ topics: [{ topic, numPartitions: 2 }] });
    const asked = clients.flatMap((client) =>
      Array.from({ length: 4 }, () => client.fetchOffsets({ groupId: unique('fresh'), topics: [topic] })),
    );
    for (const outcome of await Promise.allSettled(asked)) {
      // So few retries may not be enough; that is an error like others.
      const { name } = outcome.status === 'rejected' ? (outcome.reason as Error) : { name: 'answered' };
      expect(['answered', 'KafkaJSNumberOfRetriesExceeded']).toContain(name);
    }
    await Promise.all(clients.map((client) => client.disconnect()));
  }
});
