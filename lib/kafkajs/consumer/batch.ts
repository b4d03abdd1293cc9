import { kafkaMessage } from './each-message.js';
import type { PartitionTask, RecordRange } from '../../runner/partition-task.js';
import { long, minus, plus, type Long } from '../../values/long.js';
import type { Batch, IBatchProcessEvent, KafkaMessage } from '../types/index.js';

/** The packed records of one partition that a handler gets together, or the rest of them. Nothing is decoded. */
export class PackedBatch {
  topic: string;
  partition: number;
  highWatermark: string;
  readonly #range: RecordRange;
  readonly #start: number;

  /** Takes the current rest of the range. */
  constructor({ topic, partition }: PartitionTask, range: RecordRange) {
    this.topic = topic;
    this.partition = partition;
    this.#range = range;
    this.#start = range.index;
    // Records may have arrived after the watermark was last reported.
    const next = plus(range.batch.long(range.end - 1), 1);
    this.highWatermark = String(range.highWatermark > next ? range.highWatermark : next);
  }

  /** Number of records. */
  get #size(): number {
    return this.#range.end - this.#start;
  }

  firstOffset(): string {
    return this.#range.batch.offset(this.#start);
  }

  lastOffset(): string {
    return this.#range.batch.offset(this.#range.end - 1);
  }

  #behind(offset: string): string {
    return String(minus(minus(long(this.highWatermark), 1), long(offset)));
  }

  /** How many messages the partition has after this batch's last one. */
  offsetLag(): string {
    return this.#behind(this.lastOffset());
  }

  /** How many messages the partition has after this batch's first one. */
  offsetLagLow(): string {
    return this.#behind(this.firstOffset());
  }

  /** The messages in kafkajs's shape. */
  protected decoded(): KafkaMessage[] {
    return Array.from({ length: this.#size }, (_, i) => kafkaMessage(this.#range.batch, this.#start + i));
  }

  /** The payload of kafkajs's events around a batch. */
  describe(): IBatchProcessEvent {
    const { topic, partition, highWatermark } = this;
    return {
      topic,
      partition,
      highWatermark,
      offsetLag: this.offsetLag(),
      offsetLagLow: this.offsetLagLow(),
      batchSize: this.#size,
      firstOffset: this.firstOffset(),
      lastOffset: this.lastOffset(),
    };
  }
}

/**
 * kafkajs's batch, as `eachBatch` gets it. Its properties are plain and may be set by the handler, as in kafkajs:
 * later reads of `messages` get the ones that were set, while the offsets remain those of the consumed records.
 */
export class HandlerBatch extends PackedBatch implements Batch {
  messages: KafkaMessage[];

  constructor(task: PartitionTask, range: RecordRange) {
    super(task, range);
    this.messages = this.decoded();
  }

  /** Whether there are no messages; never true for a batch that a handler gets. */
  isEmpty(): boolean {
    return this.messages.length === 0;
  }
}

/** The index of the record with an offset in the rest of a range, or of the last one before it; -1 if there is none. */
export function indexOf({ batch, end }: RecordRange, start: number, offset: Long): number {
  let [low, high] = [start, end];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (batch.long(middle) <= offset) low = middle + 1;
    else high = middle;
  }
  return low > start ? low - 1 : -1;
}
