import type { AckBuffer } from '../codec/acks.js';
import type { FailureOptions } from './failed-delivery.js';
import type { HandlerWatch } from './handler-watch.js';
import type { PartitionMemory } from './partition-memory.js';
import type { PartitionTask } from './partition-task.js';
import type { ItemsHandler } from './record-handler.js';

/** What the batches of a partition need of the runner. */
export interface BatchOwner extends FailureOptions {
  readonly acks: AckBuffer;
  readonly memory: PartitionMemory;
  readonly watch?: HandlerWatch | undefined;
  /** Called for each batch, because tracing may be switched on or off. */
  readonly handler: () => ItemsHandler;
  /** The error that a handler has thrown, from the outcome that a filter has made of it. */
  readonly originalError: (outcome: unknown) => unknown;
  /** Called when there may be a batch to handle. */
  readonly start: (task: PartitionTask) => void;
  readonly onEscape: (error: Error) => void;
}
