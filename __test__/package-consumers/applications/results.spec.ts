import { ConfigResourceTypes, Kafka, logLevel, type Consumer } from 'nestjs-kafka-native/kafka';
import { MockKafka } from 'nestjs-kafka-native/testing';

declare const describe: (name: string, define: () => void) => void;
declare const it: (name: string, run: () => Promise<void>) => void;
declare const beforeAll: (run: () => Promise<void>) => void;
declare const afterAll: (run: () => Promise<void>) => void;
declare const expect: (actual: unknown) => {
  toStrictEqual(expected: unknown): void;
  toBeInstanceOf(expected: unknown): void;
};

// What the package hands out is of the realm that the test's own literals are of: a runner may give each file one of its own.

const broker = process.env['KAFKA_BROKERS'] as string;
const name = `${process.env['PREFIX']}.results`;

/** The same, made of this realm's objects. What is Node.js's own everywhere stays. */
function rebuilt(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return Array.from(value as unknown[], rebuilt);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rebuilt(item)]));
}

function areOfThisRealm(results: Record<string, unknown>): void {
  for (const [what, result] of Object.entries(results)) {
    expect({ what, result }).toStrictEqual({ what, result: rebuilt(result) });
  }
}

function joined(consumer: Consumer): Promise<{ payload: unknown }> {
  return new Promise((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, resolve);
  });
}

describe('results', () => {
  const kafka = new Kafka({ brokers: [broker], clientId: name, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: name });

  beforeAll(async () => {
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
  });

  afterAll(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  });

  it('of an admin client', async () => {
    const topics = [{ topic: name, numPartitions: 2 }];
    const resource = { type: ConfigResourceTypes.TOPIC, name };
    const missing = `${name}.missing`;
    areOfThisRealm({
      createTopics: await admin.createTopics({ topics }),
      listTopics: await admin.listTopics(),
      fetchTopicMetadata: await admin.fetchTopicMetadata({ topics: [name] }),
      fetchTopicOffsets: await admin.fetchTopicOffsets(name),
      fetchTopicOffsetsByTimestamp: await admin.fetchTopicOffsetsByTimestamp(name, 0),
      setOffsets: await admin.setOffsets({
        groupId: `${name}.set`,
        topic: name,
        partitions: [{ partition: 0, offset: '0' }],
      }),
      fetchOffsets: await admin.fetchOffsets({ groupId: `${name}.set`, topics: [name] }),
      describeCluster: await admin.describeCluster(),
      listGroups: await admin.listGroups(),
      describeGroups: await admin.describeGroups([`${name}.set`]),
      describeConfigs: await admin.describeConfigs({ resources: [resource], includeSynonyms: true }),
      alterConfigs: await admin.alterConfigs({
        resources: [{ ...resource, configEntries: [] }],
        validateOnly: true,
      }),
      deleteGroups: await admin.deleteGroups([`${name}.set`]),
    });
    const { topics: described } = await admin.fetchTopicMetadata({ topics: [name] });
    expect(described).toBeInstanceOf(Array);
    const failures = [
      () => admin.fetchTopicOffsetsByTimestamp(name, 'soon' as never),
      () => admin.createTopics({ topics: [{ topic: missing, numPartitions: 1.5 }] }),
      () => admin.createTopics({ topics: [{ topic: 'not a topic' }] }),
    ];
    for (const call of failures) {
      const failure: unknown = await call().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
    }
  });

  it('of a producer and a consumer', async () => {
    const join = joined(consumer);
    await consumer.subscribe({ topics: [name], fromBeginning: true });
    const batch = new Promise<unknown>((resolve, reject) => {
      void consumer
        .run({
          eachBatch: async ({ batch: { messages }, uncommittedOffsets }) => {
            resolve({ messages, uncommitted: uncommittedOffsets(), paused: consumer.paused() });
          },
        })
        .catch(reject);
    });
    areOfThisRealm({
      send: await producer.send({ topic: name, messages: [{ value: 'a', headers: { h: ['x', 'y'] } }] }),
      sendBatch: await producer.sendBatch({ topicMessages: [{ topic: name, messages: [{ value: 'b' }] }] }),
      join: (await join).payload,
      batch: await batch,
      describeGroup: await consumer.describeGroup(),
      describeGroups: await admin.describeGroups([name]),
    });
  });

  it('of the embedded broker', async () => {
    const mock = MockKafka.start();
    expect(mock.brokers).toStrictEqual(Array.from(mock.brokers));
    const stopped = mock.stop();
    expect(stopped).toBeInstanceOf(Promise);
    await stopped;
  });
});
