import type { NativeStanding } from '../../native/index.js';

/** How far a partition has been handled. */
export interface PartitionProgress {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset below which every message is finished; -1 while it is not known. */
  readonly position: number;
  /** The offset after the last known message; -1 while it is not known. */
  readonly end: number;
  /** Messages that were handed out and are not handled yet. */
  readonly inHand: number;
  /** Whether it is paused. */
  readonly isPaused: boolean;
  /** How long messages have waited while none of the partition was handled, in milliseconds; 0 if none waits. */
  readonly stalledFor: number;
}

/** What progress depends on besides positions. */
export interface PartitionConditions {
  isPaused(topic: string, partition: number): boolean;
  /** The partition's task. */
  task(topic: string, partition: number): WorkedPartition | undefined;
}

/** A partition whose messages are handled. */
interface WorkedPartition {
  /**
   * Whether all messages that could be handled are waiting for a point in time: their next delivery, or when a batch
   * is due.
   */
  readonly isResting: boolean;
  /** Number of messages that were handled although earlier ones are not. */
  readonly handledApart: number;
}

interface Seen {
  position: number;
  inHand: number;
  handledApart: number;
  /** The last time at which a message was handled, or none was waiting. */
  since: number;
  /** The end of the log, as a broker answered it. */
  end: number;
}

/** How long each partition of a consumer has been stalled, as precisely as {@link look} is called. */
export class Progress {
  readonly #conditions: PartitionConditions;
  #seen = new Map<string, Seen>();

  constructor(conditions: PartitionConditions) {
    this.#conditions = conditions;
  }

  /** Updates and returns the progress of the assigned partitions. */
  look(standings: readonly NativeStanding[], now = performance.now()): PartitionProgress[] {
    const seen = new Map<string, Seen>();
    const progress = standings.map((standing) => {
      const { topic, partition, position, inHand } = standing;
      const key = `${topic}:${partition}`;
      const { isResting = false, handledApart = 0 } = this.#conditions.task(topic, partition) ?? {};
      const before = this.#seen.get(key) ?? { position, inHand, handledApart, since: now, end: -1 };
      const isPaused = this.#conditions.isPaused(topic, partition);
      const end = Math.max(standing.highWatermark, before.end);
      const waits = inHand > 0 || (position >= 0 && end > position);
      // After a failing message, others may be handled while neither the position nor the number in hand changes.
      const isMoving =
        position !== before.position || inHand < before.inHand || handledApart !== before.handledApart;
      const counts = waits && !isMoving && !isPaused && !isResting;
      const since = counts ? before.since : now;
      seen.set(key, { position, inHand, handledApart, since, end: before.end });
      return { topic, partition, position, end, inHand, isPaused, stalledFor: now - since };
    });
    this.#seen = seen;
    return progress;
  }

  /** Notes the end of a log, as a broker answered it. */
  ends(topic: string, partition: number, end: number): void {
    const seen = this.#seen.get(`${topic}:${partition}`);
    if (seen !== undefined) seen.end = end;
  }
}
