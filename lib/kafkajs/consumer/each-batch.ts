import { HandlerBatch } from './batch.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { long } from '../../values/long.js';
import { handlerControls, type HandlerOwner } from './each-message.js';
import type { ResolvedOffsets } from './resolved-offsets.js';
import type { BatchHandler } from '../../runner/record-handler.js';
import type { ConsumerRunConfig, Offsets, TopicPartitionOffset } from '../types/index.js';

/** What a batch handler needs of its consumer. */
export interface BatchOwner {
  readonly consumer: HandlerOwner & { commitOffsets(offsets: TopicPartitionOffset[]): Promise<void> };
  /** False once the consumer is to stop. */
  readonly isRunning: () => boolean;
}

const flat = (offsets: Offsets): TopicPartitionOffset[] =>
  offsets.topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset }) => ({ topic, partition, offset })),
  );

/** `run()`'s `eachBatch` as a handler of packed records. */
export function eachBatchHandler(
  { consumer, isRunning }: BatchOwner,
  offsets: ResolvedOffsets,
  config: ConsumerRunConfig & Required<Pick<ConsumerRunConfig, 'eachBatch'>>,
): BatchHandler {
  const { eachBatch, eachBatchAutoResolve = true, autoCommitInterval, autoCommitThreshold } = config;
  const conditions = { interval: autoCommitInterval, threshold: autoCommitThreshold };
  const commitIfDue = async (): Promise<void> => {
    if (!offsets.isDue(conditions)) return;
    const uncommitted = flat(offsets.uncommitted());
    // As in kafkajs, this starts the interval anew.
    if (uncommitted.length === 0) offsets.committed([]);
    else await consumer.commitOffsets(uncommitted);
  };
  return async (task: PartitionTask, run, resolve) => {
    const batch = new HandlerBatch(task, run);
    offsets.begin(task, batch.firstOffset());
    // A handler that was told to stop may not have seen the rest, which must not count as resolved.
    let toldToStop = false;
    const told = (stop: boolean): boolean => {
      toldToStop ||= stop;
      return stop;
    };
    const resolveOffset = (offset: string): void => {
      const position = run.find(long(offset));
      if (position < run.handled) return;
      resolve(position);
      offsets.resolve(task, run.offset(position));
    };
    await eachBatch({
      batch,
      resolveOffset,
      ...handlerControls(consumer, task),
      commitOffsetsIfNecessary: (given) => (given ? consumer.commitOffsets(flat(given)) : commitIfDue()),
      uncommittedOffsets: () => offsets.uncommitted(),
      isRunning: () => !told(!isRunning()),
      isStale: () => told(task.halted),
    });
    if (eachBatchAutoResolve && !toldToStop) resolveOffset(batch.lastOffset());
  };
}
