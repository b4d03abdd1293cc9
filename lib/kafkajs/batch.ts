import { kafkaMessage } from './each-message.js';
import type { Lane, Segment } from './lane.js';
import type { Batch, IBatchProcessEvent, KafkaMessage } from './types.js';

/** kafkajs's batch over the packed records of one partition: messages are decoded when they are first asked for. */
export class PackedBatch implements Batch {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: string;
  readonly #segment: Segment;
  readonly #start: number;
  #messages: KafkaMessage[] | undefined;

  /** What is left of the segment now. */
  constructor({ topic, partition }: Lane, segment: Segment) {
    this.topic = topic;
    this.partition = partition;
    this.#segment = segment;
    this.#start = segment.index;
    // Records may have come after the watermark was last told of.
    this.highWatermark = String(Math.max(segment.highWatermark, Number(this.lastOffset()) + 1));
  }

  /** Number of messages, without decoding them. */
  get size(): number {
    return this.#segment.end - this.#start;
  }

  get messages(): KafkaMessage[] {
    this.#messages ??= Array.from({ length: this.size }, (_, i) =>
      kafkaMessage(this.#segment.batch, this.#start + i),
    );
    return this.#messages;
  }

  /** Always false: no batch without messages is handed out. */
  isEmpty(): boolean {
    return this.size === 0;
  }

  firstOffset(): string {
    return this.#segment.batch.offset(this.#start);
  }

  lastOffset(): string {
    return this.#segment.batch.offset(this.#segment.end - 1);
  }

  #behind(offset: string): string {
    return String(Number(this.highWatermark) - 1 - Number(offset));
  }

  /** How many messages the partition has after this batch's last one. */
  offsetLag(): string {
    return this.#behind(this.lastOffset());
  }

  /** How many messages the partition has after this batch's first one. */
  offsetLagLow(): string {
    return this.#behind(this.firstOffset());
  }

  /** The record of an offset, or the last one before it; -1 when there is none. */
  indexOf(offset: string): number {
    const { batch, end } = this.#segment;
    const wanted = Number(offset);
    let [low, high] = [this.#start, end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Number(batch.offset(middle)) <= wanted) low = middle + 1;
      else high = middle;
    }
    return low > this.#start ? low - 1 : -1;
  }

  /** What kafkajs's events around a batch tell of it. */
  describe(): IBatchProcessEvent {
    const { topic, partition, highWatermark, size } = this;
    return {
      topic,
      partition,
      highWatermark,
      offsetLag: this.offsetLag(),
      offsetLagLow: this.offsetLagLow(),
      batchSize: size,
      firstOffset: this.firstOffset(),
      lastOffset: this.lastOffset(),
    };
  }
}
