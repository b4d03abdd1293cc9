import type { IncomingBatch } from '../../codec/incoming.js';
import { PackedBatch } from './batch.js';
import { consumerEvents, type InstrumentationEmitter } from '../instrumentation/emitter.js';
import type { PartitionTask, RecordRange } from '../../runner/partition-task.js';
import { RecordRun } from '../../runner/record-run.js';

const { START_BATCH_PROCESS, END_BATCH_PROCESS, FETCH_START, FETCH } = consumerEvents;

/** kafkajs's events of fetching and handling batches. Without listeners they cost nothing. */
export class BatchEvents {
  readonly #emitter: InstrumentationEmitter;
  /** When the current fetch from each broker began. */
  readonly #fetches = new Map<number, number>();

  constructor(emitter: InstrumentationEmitter) {
    this.#emitter = emitter;
  }

  /**
   * Records have arrived. librdkafka fetches ahead without reporting it, so a fetch event ends when a batch arrives
   * and begins when the one before has ended.
   */
  fetched(batch: IncomingBatch): void {
    if (!this.#emitter.listens(FETCH) && !this.#emitter.listens(FETCH_START)) return;
    const now = Date.now();
    for (const nodeId of new Set(batch.partitions().map(({ broker }) => broker))) {
      const started = this.#fetches.get(nodeId);
      if (started === undefined) this.#emitter.emit(FETCH_START, { nodeId });
      // kafkajs has no number of batches either, and reports 0.
      this.#emitter.emit(FETCH, { numberOfBatches: 0, duration: now - (started ?? now), nodeId });
      this.#fetches.set(nodeId, now);
      this.#emitter.emit(FETCH_START, { nodeId });
    }
  }

  /** The consumer has stopped: nothing is being fetched. */
  stopped(): void {
    this.#fetches.clear();
  }

  /** A handler is about to get these records; the returned function is called when it has handled them. */
  begin(task: PartitionTask, records: RecordRange | RecordRun): (() => void) | undefined {
    if (!this.#emitter.listens(START_BATCH_PROCESS) && !this.#emitter.listens(END_BATCH_PROCESS)) {
      return undefined;
    }
    const run = records instanceof RecordRun ? records : new RecordRun([records]);
    const batch = new PackedBatch(task, run).describe();
    const started = Date.now();
    this.#emitter.emit(START_BATCH_PROCESS, batch);
    return () => this.#emitter.emit(END_BATCH_PROCESS, { ...batch, duration: Date.now() - started });
  }
}
