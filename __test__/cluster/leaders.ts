import { Kafka, logLevel, type Admin, type PartitionMetadata } from 'kafkajs';
import type { Cluster } from '../broker/start.mjs';
import { until } from '../harness/wait';

const NODES = [1, 2, 3];
/** A leadership that goes back and a replica that catches up take seconds. */
const MOVE_DEADLINE = 60_000;

/** The tests' hands on the leaders of a cluster's partitions. */
export class Leaders {
  readonly #admin: Admin;

  private constructor(admin: Admin) {
    this.#admin = admin;
  }

  static async of({ brokers }: Cluster): Promise<Leaders> {
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    return new Leaders(admin);
  }

  /** Creates topics whose partitions are on all nodes. */
  async create(topics: Record<string, number>): Promise<void> {
    await this.#admin.createTopics({
      topics: Object.entries(topics).map(([topic, numPartitions]) => ({ topic, numPartitions })),
      // kafkajs fails where a broker that it asks has not heard of the topic yet.
      waitForLeaders: false,
    });
    await Promise.all(Object.keys(topics).map((topic) => this.settled(topic)));
  }

  /** Lets each partition be led by node `(partition + shift) % 3 + 1`, and waits until it is. */
  async move(topic: string, shift: number): Promise<void> {
    const partitions = await this.#partitions(topic);
    const partitionAssignment = partitions.map(({ partitionId: partition }) => ({
      partition,
      replicas: NODES.map((_, index) => NODES[(partition + shift + index) % NODES.length] as number),
    }));
    await this.#admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    await until(
      `the leaders of ${topic} have moved`,
      async () => {
        const leaders = (await this.#partitions(topic)).map(({ leader }) => leader);
        return partitionAssignment.every(({ replicas }, index) => replicas[0] === leaders[index]);
      },
      MOVE_DEADLINE,
    );
  }

  /** The node that coordinates a group: the leader of the partition where its offsets are. */
  async coordinatorOf(groupId: string): Promise<number> {
    const partitions = await this.#partitions('__consumer_offsets');
    let hash = 0;
    for (const character of groupId) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
    return partitions[Math.abs(hash) % partitions.length]?.leader as number;
  }

  /** Resolves when a node leads no partition of the topic. */
  async leftBy(node: number, topic: string): Promise<void> {
    await until(
      `node ${node} leads nothing of ${topic}`,
      async () => (await this.#partitions(topic)).every(({ leader }) => leader !== node && leader > 0),
      MOVE_DEADLINE,
    );
  }

  /** Resolves when all replicas are in sync, and the first of each leads. */
  async settled(topic: string): Promise<void> {
    await until(
      `${topic} is in sync`,
      async () =>
        (await this.#partitions(topic)).every(
          ({ leader, replicas, isr }) => isr.length === NODES.length && replicas[0] === leader,
        ),
      MOVE_DEADLINE,
    );
  }

  /** Sorted by number. Waits for a broker that has heard of the topic: each answer may be another one's. */
  async #partitions(topic: string): Promise<PartitionMetadata[]> {
    const look = async (): Promise<PartitionMetadata[] | undefined> => {
      const { topics } = await this.#admin
        .fetchTopicMetadata({ topics: [topic] })
        .catch(() => ({ topics: [] }));
      const partitions = topics[0]?.partitions ?? [];
      return partitions.length > 0 ? partitions : undefined;
    };
    const partitions = await until(`a broker knows ${topic}`, look, MOVE_DEADLINE);
    return partitions.toSorted((a, b) => a.partitionId - b.partitionId);
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
  }
}
