import { call, NativeMockCluster } from './native.js';

/** How a {@link MockKafka} starts. */
export interface MockKafkaOptions {
  /** Number of brokers. Default 1. */
  brokers?: number;
  /** Partitions of topics to create at once, by name. Others are created when they are first used, with 4 partitions. */
  topics?: Record<string, number>;
}

/**
 * An embedded broker: librdkafka's mock cluster, in this process and on local ports. Good for demos and tests; it proves nothing about
 * Kafka itself, keeps everything in memory, and its groups take about the session time-out to rebalance.
 */
export class MockKafka {
  /** `host:port` of each broker. */
  readonly brokers: readonly string[];
  readonly #cluster: NativeMockCluster;

  private constructor(cluster: NativeMockCluster) {
    this.#cluster = cluster;
    this.brokers = call(() => cluster.brokers()).split(',');
  }

  /** Starts a cluster. */
  static start({ brokers = 1, topics = {} }: MockKafkaOptions = {}): MockKafka {
    const kafka = new MockKafka(call(() => new NativeMockCluster(brokers)));
    for (const [topic, partitions] of Object.entries(topics)) kafka.createTopic(topic, partitions);
    return kafka;
  }

  /** Creates a topic. */
  createTopic(topic: string, partitions = 1): void {
    call(() => this.#cluster.createTopic(topic, partitions));
  }

  /** Stops the cluster; its ports close. */
  stop(): void {
    this.#cluster.stop();
  }
}
