import { valueOf, type NativeConsumer, type NativeMetadata } from '../../native/index.js';
import { KafkaJSNonRetriableError, KafkaJSTopicMetadataNotLoaded } from '../errors/index.js';
import type { BrokerMetadata, Cluster, PartitionMetadata, TopicOffsets } from '../types/index.js';

/** Kafka's special offsets for the end and the beginning of a partition. */
const [LATEST, EARLIEST] = ['-1', '-2'];

/** The `cluster` that a partition assigner gets, over its consumer's connections. */
export class AssignerCluster implements Cluster {
  readonly #native: () => NativeConsumer | undefined;
  readonly #timeout: number;
  #metadata: NativeMetadata = { brokers: [], topics: [] };

  /** `timeout` is the time limit of a request, in milliseconds. */
  constructor(native: () => NativeConsumer | undefined, timeout: number) {
    this.#native = native;
    this.#timeout = timeout;
  }

  #connected(): NativeConsumer {
    const native = this.#native();
    if (native === undefined) throw new KafkaJSNonRetriableError('The consumer is not connected');
    return native;
  }

  isConnected(): boolean {
    return this.#native() !== undefined;
  }

  /** Fetches the metadata of all topics, from which the synchronous methods answer. */
  async refreshMetadata(): Promise<void> {
    this.#metadata = valueOf(await this.#connected().clusterMetadata(this.#timeout));
  }

  async refreshMetadataIfNecessary(): Promise<void> {
    if (this.#metadata.brokers.length === 0) await this.refreshMetadata();
  }

  async metadata(): Promise<BrokerMetadata> {
    await this.refreshMetadata();
    const { brokers, topics } = this.#metadata;
    return {
      brokers,
      topicMetadata: topics.map(({ name, code, partitions }) => ({
        topic: name,
        topicErrorCode: code,
        partitionMetadata: partitions,
      })),
    };
  }

  getNodeIds(): number[] {
    return this.#metadata.brokers.map(({ nodeId }) => nodeId);
  }

  /** Does nothing: the metadata has all topics of the cluster. */
  addTargetTopic(topic: string): Promise<void> {
    return this.addMultipleTargetTopics([topic]);
  }

  async addMultipleTargetTopics(topics: string[]): Promise<void> {
    if (topics.some((topic) => this.#partitions(topic) === undefined)) await this.refreshMetadata();
  }

  #partitions(topic: string): PartitionMetadata[] | undefined {
    return this.#metadata.topics.find(({ name }) => name === topic)?.partitions;
  }

  findTopicPartitionMetadata(topic: string): PartitionMetadata[] {
    if (this.#metadata.brokers.length === 0) {
      throw new KafkaJSTopicMetadataNotLoaded('Topic metadata not loaded', { topic });
    }
    return this.#partitions(topic) ?? [];
  }

  findLeaderForPartitions(topic: string, partitions: number[]): { [leader: string]: number[] } {
    const leaders: Record<string, number[]> = {};
    for (const { partitionId, leader } of this.findTopicPartitionMetadata(topic)) {
      if (partitions.includes(partitionId)) (leaders[leader] ??= []).push(partitionId);
    }
    return leaders;
  }

  async fetchTopicsOffset(topics: Parameters<Cluster['fetchTopicsOffset']>[0]): Promise<TopicOffsets[]> {
    const asked = topics.flatMap(({ topic, partitions, fromBeginning = false, fromTimestamp }) =>
      partitions.map(({ partition }) => ({
        topic,
        partition,
        offset: fromTimestamp === undefined ? (fromBeginning ? EARLIEST : LATEST) : String(fromTimestamp),
      })),
    );
    const offsets = valueOf(await this.#connected().listOffsets(asked, this.#timeout));
    return topics.map(({ topic }) => ({
      topic,
      partitions: offsets
        .filter((found) => found.topic === topic)
        .map(({ partition, offset }) => ({ partition, offset })),
    }));
  }
}
