import { kafkaMessage } from './each-message.js';
import type { PartitionTask, RecordRange } from '../../runner/partition-task.js';
import { long, minus, plus, type Long } from '../../values/long.js';
import type { Batch, IBatchProcessEvent, KafkaMessage } from '../types/index.js';

/** The packed records of one partition that a handler gets together, or what is left of them. Nothing is decoded. */
export class PackedBatch {
  topic: string;
  partition: number;
  highWatermark: string;
  readonly #range: RecordRange;
  readonly #start: number;

  /** What is left of the range now. */
  constructor({ topic, partition }: PartitionTask, range: RecordRange) {
    this.topic = topic;
    this.partition = partition;
    this.#range = range;
    this.#start = range.index;
    // Records may have come after the watermark was last told of.
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

  /** What kafkajs's events around a batch tell of it. */
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
 * kafkajs's batch, as `eachBatch` gets it. Its properties are plain ones, which the handler may set, as in kafkajs: what asks for the
 * messages later gets those that were set, and the offsets stay those of the records that came.
 */
export class HandlerBatch extends PackedBatch implements Batch {
  messages: KafkaMessage[];

  constructor(task: PartitionTask, range: RecordRange) {
    super(task, range);
    this.messages = this.decoded();
  }

  /** Whether there are no messages: no batch without any is handed out. */
  isEmpty(): boolean {
    return this.messages.length === 0;
  }
}

/** The record of an offset among what is left of a range, or the last one before it; -1 when there is none. */
export function indexOf({ batch, end }: RecordRange, start: number, offset: Long): number {
  let [low, high] = [start, end];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (batch.long(middle) <= offset) low = middle + 1;
    else high = middle;
  }
  return low > start ? low - 1 : -1;
}
