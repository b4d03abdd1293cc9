import type { NativeConsumer } from '../../native/index.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import { offsetToSeek } from '../offsets.js';
import { checkTopicPartitions, type PausedPartitions } from './paused-partitions.js';
import type { Runner } from '../../runner/runner.js';
import type { TopicPartitionOffset, TopicPartitions } from '../types/index.js';

/** A consumer that runs, or is being closed: handlers that finish meanwhile may still use it. */
export interface Running {
  readonly native: NativeConsumer;
  readonly runner: Runner;
}

/** Where partitions go on, and whether they do: kafkajs's `seek`, `pause` and `resume`. */
export class Positions {
  readonly #current: () => Running | undefined;
  readonly #paused: PausedPartitions;
  /** As in kafkajs, a seek before the join counts once the partition is assigned. */
  readonly #seeks = new Map<string, TopicPartitionOffset>();

  constructor(paused: PausedPartitions, current: () => Running | undefined) {
    this.#paused = paused;
    this.#current = current;
  }

  /** The consumer that runs; throws, with kafkajs's text, when none does. */
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

  /** Ends an assignment whose partition starts over at its first record that is not done, after so many milliseconds. */
  startOver(assignment: number, rest: number): void {
    const running = this.#current();
    const task = running?.runner.task(assignment);
    // On its way back to the group, which hands the records out again.
    if (running === undefined || task === undefined || task.halted) return;
    running.runner.abandon(task);
    setTimeout(() => running.native.startOver(assignment), rest).unref();
  }

  /** A partition has been assigned: goes where it was sent before. */
  opened(topic: string, partition: number): void {
    const key = `${topic}:${partition}`;
    const seek = this.#seeks.get(key);
    this.#seeks.delete(key);
    if (seek) this.seek(seek);
  }

  /** An assignment is complete: seeks of partitions that it does not have are void. */
  assigned(): void {
    const runner = this.#current()?.runner;
    for (const key of this.#seeks.keys()) if (!runner?.isMoving(key)) this.#seeks.delete(key);
  }

  pause(topics: { topic: string; partitions?: number[] }[]): void {
    checkTopicPartitions(topics, 'pause');
    this.running();
    this.#paused.pause(topics);
  }

  /** What is paused of the assigned partitions. */
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
