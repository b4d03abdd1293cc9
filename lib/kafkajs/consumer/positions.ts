import type { NativeConsumer } from '../../native/index.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import { offsetToSeek } from '../offsets.js';
import { checkTopicPartitions, type PausedPartitions } from './paused-partitions.js';
import type { Runner } from '../../runner/runner.js';
import type { TopicPartitionOffset, TopicPartitions } from '../types/index.js';
import { LONGEST_TIMER } from '../../values/longest-timer.js';

/** A consumer that is running, or closing: handlers that finish meanwhile may still use it. */
export interface Running {
  readonly native: NativeConsumer;
  readonly runner: Runner;
}

/** kafkajs's `seek`, `pause` and `resume`. */
export class Positions {
  readonly #current: () => Running | undefined;
  readonly #paused: PausedPartitions;
  /** As in kafkajs, a seek before the join is carried out when the partition is assigned. */
  readonly #seeks = new Map<string, TopicPartitionOffset>();

  constructor(paused: PausedPartitions, current: () => Running | undefined) {
    this.#paused = paused;
    this.#current = current;
  }

  /** The running consumer; throws, with kafkajs's text, if it is not running. */
  running(): Running {
    const running = this.#current();
    if (running !== undefined) return running;
    throw new KafkaJSNonRetriableError(
      'Consumer group was not initialized, consumer#run must be called first',
    );
  }

  seek(target: TopicPartitionOffset): void {
    const offset = offsetToSeek(target);
    const { native, runner } = this.running();
    const task = runner.find(target.topic, target.partition);
    if (task === undefined) {
      this.#seeks.set(`${target.topic}:${target.partition}`, target);
      return;
    }
    runner.abandon(task);
    native.seek(offset);
  }

  /** Ends an assignment and moves its partition back to the first unfinished record, after `rest` milliseconds. */
  startOver(assignment: number, rest: number): void {
    const running = this.#current();
    const task = running?.runner.task(assignment);
    // Or it is being revoked: then the partition's next owner gets the records again.
    if (running === undefined || task === undefined || task.halted) return;
    running.runner.abandon(task, true);
    setTimeout(() => running.native.startOver(assignment), Math.min(rest, LONGEST_TIMER)).unref();
  }

  /** A partition was assigned: carries out a seek that was asked for before. */
  opened(topic: string, partition: number): void {
    const key = `${topic}:${partition}`;
    const seek = this.#seeks.get(key);
    this.#seeks.delete(key);
    if (seek) this.seek(seek);
  }

  /** An assignment is complete: drops seeks of partitions that are not in it. */
  assigned(): void {
    const runner = this.#current()?.runner;
    for (const key of this.#seeks.keys()) if (!runner?.isMoving(key)) this.#seeks.delete(key);
  }

  pause(topics: { topic: string; partitions?: number[] }[]): void {
    checkTopicPartitions(topics, 'pause');
    this.running();
    this.#paused.pause(topics);
  }

  /** The paused ones of the assigned partitions. */
  paused(): TopicPartitions[] {
    return this.#paused.of(this.#current()?.runner.tasks() ?? []);
  }

  resume(topics: { topic: string; partitions?: number[] }[]): void {
    checkTopicPartitions(topics, 'resume');
    const { runner } = this.running();
    this.#paused.resume(topics);
    runner.resume();
  }
}
