import type { IncomingBatch } from '../packed/incoming.js';
import type { Lane } from './lane.js';

/** Shortest and longest time between two looks, in milliseconds. */
const [SHORTEST_LOOK, LONGEST_LOOK] = [10, 1000];

/** A handler that runs longer than it should. */
export interface SlowHandler {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** How long it has run, in milliseconds. */
  readonly duration: number;
  /** It blocked the event loop and has ended by now. */
  readonly ended: boolean;
}

interface Running {
  batch: IncomingBatch;
  index: number;
  since: number;
  told: boolean;
}

/** Reports handlers that run longer than `consumer.handlerTimeout`, each once. One timer serves all partitions. */
export class HandlerWatch {
  readonly #limit: number;
  readonly #report: (slow: SlowHandler) => void;
  readonly #running = new Map<Lane, Running>();
  readonly #timer: NodeJS.Timeout;

  constructor(limit: number, report: (slow: SlowHandler) => void) {
    this.#limit = limit;
    this.#report = report;
    const look = Math.min(Math.max(limit / 4, SHORTEST_LOOK), LONGEST_LOOK);
    this.#timer = setInterval(() => this.#look(), look).unref();
  }

  /** A handler starts. */
  begin(lane: Lane, batch: IncomingBatch, index: number): void {
    this.#running.set(lane, { batch, index, since: performance.now(), told: false });
  }

  /** It has ended. */
  end(lane: Lane): void {
    const running = this.#running.get(lane);
    if (running === undefined) return;
    this.#running.delete(lane);
    this.#tell(lane, running, true);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const [lane, running] of this.#running) this.#tell(lane, running, false);
  }

  #tell(lane: Lane, running: Running, ended: boolean): void {
    const duration = performance.now() - running.since;
    if (running.told || duration < this.#limit) return;
    running.told = true;
    const { topic, partition } = lane;
    const offset = running.batch.offset(running.index);
    this.#report({ topic, partition, offset, duration: Math.round(duration), ended });
  }
}
