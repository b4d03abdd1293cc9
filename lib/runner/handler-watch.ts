import type { IncomingBatch } from '../codec/incoming.js';
import type { PartitionTask } from './partition-task.js';

/** Shortest and longest time between two looks, in milliseconds. */
const [SHORTEST_LOOK, LONGEST_LOOK] = [10, 1000];

/** A handler that runs longer than it should. */
export interface SlowHandler {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** How long it has run, in milliseconds. */
  readonly duration: number;
  /** Whether it has ended by now, having blocked the event loop. */
  readonly ended: boolean;
}

/** How long handlers may run, in milliseconds. */
export interface HandlerTimeouts {
  /** The shortest of all time-outs. */
  readonly shortest: number;
  /** The time-out of a record's handler; Infinity for none. */
  of(task: PartitionTask, batch: IncomingBatch, index: number): number;
}

/** The same time-out for all handlers. */
export function sameFor(limit: number): HandlerTimeouts {
  return { shortest: limit, of: () => limit };
}

interface Running {
  task: PartitionTask;
  batch: IncomingBatch;
  index: number;
  since: number;
  limit: number;
  told: boolean;
}

/** Callbacks of the watch. */
export interface HandlerReports {
  /** A handler has passed the limit. */
  slow(handler: SlowHandler): void;
  /** All handlers that had passed it have ended. */
  recovered(): void;
}

/** Reports each handler that exceeds its time-out, once. One timer serves all partitions. */
export class HandlerWatch {
  readonly #limits: HandlerTimeouts;
  readonly #reports: HandlerReports;
  readonly #running = new Map<object, Running>();
  readonly #timer: NodeJS.Timeout;
  /** Number of running handlers that have passed the limit. */
  #slow = 0;

  constructor(limits: HandlerTimeouts, reports: HandlerReports) {
    this.#limits = limits;
    this.#reports = reports;
    const look = Math.min(Math.max(limits.shortest / 4, SHORTEST_LOOK), LONGEST_LOOK);
    this.#timer = setInterval(() => this.#look(), look).unref();
  }

  /** A handler starts, or has started at `since`; `whose` identifies it until it ends. */
  begin(
    whose: object,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    since = performance.now(),
  ): void {
    const limit = this.#limits.of(task, batch, index);
    this.#running.set(whose, { task, batch, index, since, limit, told: false });
  }

  /** The handler has ended. */
  end(whose: object): void {
    const running = this.#running.get(whose);
    if (running === undefined) return;
    this.#running.delete(whose);
    this.#tell(running, true);
    if (running.told && --this.#slow === 0) this.#reports.recovered();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const running of this.#running.values()) this.#tell(running, false);
  }

  #tell(running: Running, ended: boolean): void {
    const duration = performance.now() - running.since;
    if (running.told || duration < running.limit) return;
    running.told = true;
    this.#slow++;
    const { topic, partition } = running.task;
    const offset = running.batch.offset(running.index);
    this.#reports.slow({ topic, partition, offset, duration: Math.round(duration), ended });
  }
}
