import type { NativeStanding } from '../../native/index.js';

/** A partition, and how far it has come. */
export interface PartitionProgress {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset below which all is done; -1 while that is not known. */
  readonly position: number;
  /** The offset after the last message, as far as it is known; -1 while it is not. */
  readonly end: number;
  /** Messages that were handed out and are not handled. */
  readonly inHand: number;
  /** It is paused. */
  readonly isPaused: boolean;
  /** How long something has waited while nothing of the partition was handled, in milliseconds; 0 where nothing waits. */
  readonly stalledFor: number;
}

/** What is known of a partition besides where it stands. */
export interface PartitionConditions {
  isPaused(topic: string, partition: number): boolean;
  /** How it is worked on. */
  task(topic: string, partition: number): WorkedPartition | undefined;
}

/** A partition whose messages are handled. */
interface WorkedPartition {
  /** All of its messages that could be handled wait for a time: of their next delivery, or at which a batch is due. */
  readonly isResting: boolean;
  /** Messages that were handled while others before them were not. */
  readonly handledApart: number;
}

interface Seen {
  position: number;
  inHand: number;
  handledApart: number;
  /** The last time at which something was handled, or nothing waited. */
  since: number;
  /** The end of the log as a broker has said it when it was asked. */
  end: number;
}

/** Since when the partitions of a consumer stand still. It is known as finely as somebody looks. */
export class Progress {
  readonly #conditions: PartitionConditions;
  #seen = new Map<string, Seen>();

  constructor(conditions: PartitionConditions) {
    this.#conditions = conditions;
  }

  /** Looks at the partitions that are assigned now. */
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
      // Behind a message that fails, others may be handled while the position stays, and as many be in hand at each look.
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

  /** A broker has said where the log ends. */
  ends(topic: string, partition: number, end: number): void {
    const seen = this.#seen.get(`${topic}:${partition}`);
    if (seen !== undefined) seen.end = end;
  }
}
