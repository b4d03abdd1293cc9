import type { IncomingBatch } from '../../codec/incoming.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { Handling, type Outcome, type RecordEnd } from '../../runner/record-handler.js';
import { RecordDispatch, type DispatchPorts, type Handled } from '../server/record-dispatch.js';
import type { Responder } from '../server/responder.js';
import type { WorkerPool } from './worker-pool.js';

/** A worker has done what follows a handler: its outcome is the record's. */
const workerEnd: RecordEnd = {
  isOver: (outcome) => outcome === undefined,
  succeeded: (outcome) => outcome as Outcome,
  failed(error) {
    throw error;
  },
};

/** Passes records to the handlers of worker threads; all else stays in the server's own thread. */
export class WorkerDispatch extends RecordDispatch {
  readonly #pool: WorkerPool;

  constructor(ports: DispatchPorts, pool: WorkerPool) {
    super(ports);
    this.#pool = pool;
  }

  override handle(
    responder: Responder,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    topic: string = task.topic,
    attempt: number = task.failures + 1,
  ): Handled {
    // A deserializer may find another handler than that of the topic.
    if (this.decodesItself && this.handlerOf(task, batch, index, topic) === null) {
      return super.handle(responder, task, batch, index, topic, attempt);
    }
    const { delivery, turn, topic: source, partition } = task;
    const { consumer, replies } = responder;
    const outcome = this.#pool.handle(
      { topic, source, partition, attempt },
      (id) => batch.single(index, id),
      {
        consumer,
        assignment: task.assignment,
        sequence: batch.sequence(index),
        place: () => `${source} ${partition} ${batch.offset(index)}`,
        outgoing: replies.outgoing,
        heartbeat: () => consumer.heartbeat(task),
        nack: (delay) => (delivery ? delivery.nack(delay) : task.nack(batch, index, turn, delay)),
      },
    );
    return new Handling(outcome, workerEnd);
  }
}
