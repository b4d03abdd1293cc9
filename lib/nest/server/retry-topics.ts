import { messageOf } from '../../values/describe.js';
import type { Admin } from '../../kafkajs/admin/admin.js';
import { isLegalTopic } from '../../kafkajs/topic-name.js';
import { KafkaJSInvalidOptionError } from '../../kafkajs/errors/index.js';
import type { ITopicMetadata } from '../../kafkajs/types/index.js';
import type { GuardedLogger } from '../log/guarded-logger.js';

/** Shortest time between two attempts to create a topic, in milliseconds. */
const TRY_AGAIN = 1000;

/** What creating the topics needs. */
export interface RetryTopicsPorts {
  /** The retry topics of a topic. */
  readonly topicsOf: (source: string) => string[];
  /** An admin client of the server's cluster, which is connected and closed here. */
  readonly admin: () => Admin;
  readonly logger: GuardedLogger;
}

/** The retry topics in the cluster: created with the partitions of the original topics, or waited for. */
export class RetryTopics {
  readonly #ports: RetryTopicsPorts;
  /** Number of partitions of existing retry topics. */
  readonly #partitions = new Map<string, number>();
  /** The last attempt to create the topics of a source, and its result. */
  readonly #tries = new Map<string, { at: number; made: Promise<void> }>();

  constructor(ports: RetryTopicsPorts) {
    this.#ports = ports;
  }

  /**
   * Checks the names of these topics' retry topics.
   *
   * @throws KafkaJSInvalidOptionError for one that no topic can have.
   */
  check(sources: readonly string[]): void {
    const names = sources.flatMap((source) => this.#ports.topicsOf(source));
    const illegal = names.find((name) => typeof name !== 'string' || !isLegalTopic(name));
    if (illegal === undefined) return;
    const option = 'deadLetter.retryTopics.topic';
    throw new KafkaJSInvalidOptionError(
      `A retry topic cannot be called ${JSON.stringify(illegal)} (at most 249 of a-z, A-Z, 0-9, ".", "_" and "-"): let the option deadLetter.retryTopics.topic give it another name`,
      { option },
    );
  }

  /**
   * Creates missing retry topics of those topics that exist. A topic that cannot be created is logged and waited for.
   */
  async make(sources: readonly string[]): Promise<void> {
    const { topicsOf, admin: makeAdmin, logger } = this.#ports;
    const retried = sources.filter((source) => topicsOf(source).length > 0);
    if (retried.length === 0) return;
    const admin = makeAdmin();
    try {
      await admin.connect();
      const existing = new Set(await admin.listTopics());
      const wanted = retried.filter((source) => existing.has(source));
      const names = wanted.flatMap(topicsOf);
      const found = await metadataOf(admin, [...wanted, ...names.filter((name) => existing.has(name))]);
      for (const source of wanted) {
        const model = found.get(source) as ITopicMetadata;
        const missing = topicsOf(source).filter((name) => !existing.has(name));
        await this.#create(admin, model, missing);
      }
      for (const name of names) {
        const known = found.get(name);
        if (known) this.#partitions.set(name, known.partitions.length);
      }
    } catch (error) {
      logger.warn(`The retry topics of ${retried.join(', ')} could not be looked for: ${messageOf(error)}`);
    } finally {
      await admin.disconnect();
    }
  }

  async #create(admin: Admin, { partitions }: ITopicMetadata, names: readonly string[]): Promise<void> {
    const numPartitions = partitions.length;
    const replicationFactor = partitions[0]?.replicas.length ?? 1;
    for (const topic of names) {
      try {
        const topics = [{ topic, numPartitions, replicationFactor }];
        // False if another instance has created it meanwhile.
        await admin.createTopics({ topics });
        const made = await metadataOf(admin, [topic]);
        this.#partitions.set(topic, made.get(topic)?.partitions.length ?? numPartitions);
      } catch (error) {
        this.#ports.logger.warn(
          `Retry topic ${topic} could not be created and is waited for (${numPartitions} partitions, replication ${replicationFactor}): ${causeOf(error)}`,
        );
      }
    }
  }

  /**
   * The partition of a retry topic for a message: the same number as in its own topic if it exists, else undefined
   * for the partitioner's choice. A promise if the topic is unknown: it is looked up, and created, first.
   */
  partition(
    topic: string,
    source: string,
    partition: number,
  ): Promise<number | undefined> | number | undefined {
    if (this.#partitions.has(topic)) return this.#sameNumber(topic, partition);
    return this.#tried(source).then(() => this.#sameNumber(topic, partition));
  }

  #sameNumber(topic: string, partition: number): number | undefined {
    return partition < (this.#partitions.get(topic) ?? 0) ? partition : undefined;
  }

  /** Forgets a topic that has changed: the next message looks it up again. */
  forget(topic: string): void {
    this.#partitions.delete(topic);
  }

  #tried(source: string): Promise<void> {
    const now = performance.now();
    const last = this.#tries.get(source);
    if (last !== undefined && now - last.at < TRY_AGAIN) return last.made;
    const made = this.make([source]);
    this.#tries.set(source, { at: now, made });
    return made;
  }
}

async function metadataOf(admin: Admin, topics: string[]): Promise<Map<string, ITopicMetadata>> {
  if (topics.length === 0) return new Map();
  const found = await admin.fetchTopicMetadata({ topics });
  return new Map(found.topics.map((topic) => [topic.name, topic]));
}

/** The message of a KafkaJSAggregateError does not contain its errors. */
function causeOf(error: unknown): string {
  const { errors } = error as { errors?: unknown[] };
  return messageOf(errors?.[0] ?? error);
}
