import { kafkaMessage } from './each-message.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { RecordRun } from '../../runner/record-run.js';
import { long, minus, plus } from '../../values/long.js';
import type { Batch, IBatchProcessEvent, KafkaMessage } from '../types/index.js';

/** The packed records of one partition that a handler gets together. Nothing is decoded. */
export class PackedBatch {
  topic: string;
  partition: number;
  highWatermark: string;
  readonly #run: RecordRun;

  constructor({ topic, partition }: PartitionTask, run: RecordRun) {
    this.topic = topic;
    this.partition = partition;
    this.#run = run;
    // Records may have arrived after the watermark was last reported.
    const next = plus(run.long(run.length - 1), 1);
    this.highWatermark = String(run.highWatermark > next ? run.highWatermark : next);
  }

  firstOffset(): string {
    return this.#run.offset(0);
  }

  lastOffset(): string {
    return this.#run.offset(this.#run.length - 1);
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
    return this.#run.map(kafkaMessage);
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
      batchSize: this.#run.length,
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

  constructor(task: PartitionTask, run: RecordRun) {
    super(task, run);
    this.messages = this.decoded();
  }

  /** Whether there are no messages; never true for a batch that a handler gets. */
  isEmpty(): boolean {
    return this.messages.length === 0;
  }
}
