import type { OutgoingRecord } from '../../codec/outgoing.js';
import { disown, ignore, own } from '../../application/callbacks.js';
import { messageOf } from '../../values/describe.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import type { ICustomPartitioner, Message, PartitionMetadata } from '../types/index.js';

interface Known {
  readonly partitions: PartitionMetadata[];
  readonly until: number;
}

/** Chooses the partitions of messages with the application's partitioner, based on cached metadata. */
export class Partitioning {
  readonly #choose: ReturnType<ICustomPartitioner>;
  readonly #maxAge: number;
  readonly #fetch: (topic: string) => Promise<PartitionMetadata[]>;
  readonly #known = new Map<string, Known>();
  readonly #asked = new Map<string, Promise<PartitionMetadata[]>>();

  constructor(
    create: ICustomPartitioner,
    maxAge: number,
    fetch: (topic: string) => Promise<PartitionMetadata[]>,
  ) {
    this.#choose = create();
    this.#maxAge = maxAge;
    this.#fetch = fetch;
  }

  /** The messages with their partitions; a promise if the topic's partitions have to be fetched first. */
  place<T extends OutgoingRecord>(topic: string, messages: readonly T[]): T[] | Promise<T[]> {
    const known = this.#known.get(topic);
    // If others are waiting for the metadata, this waits too, so that messages keep their order.
    if (known !== undefined && known.until > performance.now() && !this.#asked.has(topic)) {
      return this.#placed(topic, messages, known.partitions);
    }
    return this.#ask(topic, known).then((partitions) => this.#placed(topic, messages, partitions));
  }

  #ask(topic: string, known: Known | undefined): Promise<PartitionMetadata[]> {
    let asked = this.#asked.get(topic);
    if (asked === undefined) {
      asked = this.#fetch(topic)
        .then((partitions) => {
          this.#known.set(topic, { partitions, until: performance.now() + this.#maxAge });
          return partitions;
        })
        .catch((error: unknown) => {
          // Outdated metadata is better than none.
          if (known !== undefined) return known.partitions;
          throw error;
        });
      this.#asked.set(topic, asked);
      const forget = (): boolean => this.#asked.delete(topic);
      own(asked.then(forget, forget), ignore);
    }
    return asked;
  }

  #placed<T extends OutgoingRecord>(
    topic: string,
    messages: readonly T[],
    partitionMetadata: PartitionMetadata[],
  ): T[] {
    return messages.map((message) => {
      const partition: unknown = this.#choose({ topic, partitionMetadata, message: message as Message });
      if (Number.isInteger(partition) && (partition as number) >= 0) {
        return { ...message, partition: partition as number };
      }
      // It may be a promise: its rejection must not be unhandled.
      disown(partition);
      throw new KafkaJSNonRetriableError(
        `The partitioner chose no partition for a message to ${topic}, but ${messageOf(partition)}`,
      );
    });
  }
}
