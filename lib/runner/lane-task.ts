import { own } from '../application/callbacks.js';
import { ADVANCE, COMMIT, FINISHED, RETURNED } from '../boundary/acks.js';
import type { AckBuffer } from '../codec/acks.js';
import type { IncomingBatch } from '../codec/incoming.js';
import { Delivery, Lane, type DeliveryOwner } from './delivery.js';
import { refusedLate, type FailureOptions } from './failed-delivery.js';
import type { PartitionTask, TaskLanes } from './partition-task.js';
import type { PartitionMemory } from './partition-memory.js';
import { INCOMPLETE, REPLIED, type Outcome } from './record-handler.js';
import type { TopicHandling } from './topic-handling.js';

/** What the lanes of a partition need of the runner. */
export interface LaneOwner extends Pick<FailureOptions, 'failurePolicy' | 'isPaused'> {
  readonly acks: AckBuffer;
  readonly memory: PartitionMemory;
  /** There may be records to handle. */
  readonly offer: (lanes: LaneTask) => void;
  /** Called when the last handler of a halted partition has ended. */
  readonly ended: (task: PartitionTask) => void;
  /** Called when a handled record is finished or will be redelivered, so that it is no longer watched. */
  readonly released: (delivery: Delivery) => void;
  readonly onEscape: (error: Error) => void;
}

/**
 * The records of an assigned partition in lanes, each of which is handled in order. A lane has the records of one
 * key, or a single record, or all records of the partition.
 */
export class LaneTask implements DeliveryOwner, TaskLanes {
  readonly task: PartitionTask;
  readonly isManual: boolean;
  handled = 0;
  /** Whether the pool has it in its list. */
  isOffered = false;
  readonly #owner: LaneOwner;
  readonly #unitOf: (batch: IncomingBatch, index: number) => number | undefined;
  /** Lanes that are busy or have records. */
  readonly #lanes = new Map<number, Lane>();
  /** The running record while it is the only one taken: it has no lane yet, and mostly needs none. */
  #alone: Delivery | undefined;
  /** Lanes of single records that rest. */
  readonly #single = new Set<Lane>();
  /** Lanes whose first record may be handled. */
  #ready: Lane[] = [];
  /** With manual acknowledgement: running and handled records by their sequence. */
  readonly #unacked = new Map<number, Delivery>();
  /** The callback for each batch, and how many of its records are left to be handled. */
  readonly #batches = new Map<IncomingBatch, { left: number; handled: () => void }>();
  #active = 0;
  /** Number of lanes whose first record is not due. */
  #resting = 0;

  constructor(task: PartitionTask, { concurrency, isManual }: TopicHandling, owner: LaneOwner) {
    this.task = task;
    this.isManual = isManual;
    this.#owner = owner;
    const { order } = concurrency;
    if (order === 'key') this.#unitOf = (batch, index) => batch.unit(index);
    else this.#unitOf = order === 'none' ? () => undefined : () => 0;
  }

  /** Calls `handled` when this number of records of a batch were handled. */
  watch(batch: IncomingBatch, records: number, handled: () => void): void {
    const left = (this.#batches.get(batch)?.left ?? 0) + records;
    this.#batches.set(batch, { left, handled });
  }

  #count(batch: IncomingBatch): void {
    const watched = this.#batches.get(batch);
    if (watched === undefined || --watched.left > 0) return;
    this.#batches.delete(batch);
    watched.handled();
  }

  get isResting(): boolean {
    const isBusy = this.#active > 0 || this.#ready.length > 0;
    return this.#resting > 0 && !isBusy && this.task.range() === undefined;
  }

  /** There may be records to handle. */
  offer(): void {
    if (!this.task.halted) this.#owner.offer(this);
  }

  /** Takes the next record that may be handled; undefined if all have to wait, or there is none. */
  take(): Delivery | undefined {
    const { task } = this;
    if (task.halted || this.#owner.isPaused(task.topic, task.partition)) return undefined;
    for (let lane = this.#ready.shift(); lane !== undefined; lane = this.#ready.shift()) {
      // A record that comes first now may have been refused meanwhile.
      const first = lane.isToRest ? undefined : lane.shift();
      if (first !== undefined) return this.#enter(first);
      this.#ended(lane);
    }
    const fresh = this.#fresh();
    return fresh && this.#enter(fresh);
  }

  /** The next new record whose lane is free; records of busy lanes are queued there. */
  #fresh(): Delivery | undefined {
    const { task } = this;
    for (let range = task.range(); range !== undefined; range = task.range()) {
      const { batch, end } = range;
      while (range.index < end) {
        const index = range.index++;
        const delivery = new Delivery(this, batch, index);
        if (this.#active === 0 && this.#lanes.size === 0) return (this.#alone = delivery);
        this.#joined();
        const unit = this.#unitOf(batch, index);
        if (unit === undefined) return delivery;
        const lane = this.#lanes.get(unit);
        if (lane === undefined) {
          this.#lanes.set(unit, (delivery.lane = new Lane(unit)));
          return delivery;
        }
        delivery.lane = lane;
        lane.push(delivery);
      }
    }
    return undefined;
  }

  /** Gives the lone running record its lane, because there are others now. */
  #joined(): void {
    const delivery = this.#alone;
    if (delivery === undefined) return;
    this.#alone = undefined;
    this.#laneFor(delivery);
  }

  /** Creates the lane of its first record. */
  #laneFor(delivery: Delivery): Lane {
    if (delivery.lane !== undefined) return delivery.lane;
    const unit = this.#unitOf(delivery.batch, delivery.index);
    const lane = new Lane(unit);
    if (unit !== undefined) this.#lanes.set(unit, lane);
    return (delivery.lane = lane);
  }

  /** Starts a record, unless the handler of an earlier assignment of the partition is still running. */
  #enter(delivery: Delivery): Delivery | undefined {
    const { task } = this;
    if (this.#active === 0 && !this.#owner.memory.enter(task, () => this.#owner.offer(this))) {
      this.#putBack(delivery);
      return undefined;
    }
    this.#active++;
    task.state = 'running';
    delivery.state = 'running';
    if (delivery.failures === 0)
      delivery.failures = this.#owner.memory.failuresOf(task, delivery.batch, delivery.index);
    if (this.isManual) this.#unacked.set(delivery.batch.sequence(delivery.index), delivery);
    return delivery;
  }

  /** Puts a record into its place in its lane again, to be handled. */
  #putBack(delivery: Delivery): void {
    delivery.state = 'waiting';
    this.#joined();
    const lane = this.#laneFor(delivery);
    lane.insert(delivery);
    this.#ready.push(lane);
  }

  /** The handler of a record has ended, and the record is not redelivered; the next one of its lane may follow. */
  succeeded(delivery: Delivery, outcome: Outcome): Delivery | undefined {
    const { task, isManual } = this;
    const { acks, memory } = this.#owner;
    this.handled++;
    const sequence = delivery.batch.sequence(delivery.index);
    if (this.#alone === delivery) this.#alone = undefined;
    if (delivery.failures > 0) memory.forget(task, delivery.batch.offset(delivery.index));
    const isIncomplete = outcome === INCOMPLETE;
    if (!isIncomplete) delivery.replies = outcome === REPLIED ? 1 : 0;
    const isFinished = !isIncomplete && (!isManual || delivery.isAcked);
    // After a revocation the core does not wait for the acknowledgement.
    if (!task.revoked)
      acks.ack(task.assignment, sequence, isFinished ? ADVANCE | FINISHED : ADVANCE, delivery.replies ?? 0);
    if (isFinished || task.isGone) this.#over(delivery, sequence);
    else delivery.state = 'handled';
    if (this.#batches.size > 0) this.#count(delivery.batch);
    return this.#goOn(delivery.lane);
  }

  #over(delivery: Delivery, sequence: number): void {
    delivery.state = 'over';
    if (!this.isManual) return;
    this.#unacked.delete(sequence);
    this.#owner.released(delivery);
  }

  /** Redelivers a record after this many milliseconds; never without a number. */
  again(delivery: Delivery, milliseconds: number | undefined): void {
    const { task } = this;
    if (this.isManual) this.#owner.released(delivery);
    this.#joined();
    const again = delivery.again();
    if (!task.halted && milliseconds !== undefined) {
      const lane = this.#laneFor(again);
      again.restFor(milliseconds);
      lane.insert(again);
      this.#ended(lane);
    }
    this.#left();
  }

  /** Redelivers a record when its partition is no longer paused. */
  afterPause(delivery: Delivery): void {
    this.#joined();
    const again = delivery.again();
    if (!this.task.halted) this.#putBack(again);
    this.#left();
  }

  /** The next record of a lane, if one may be handled at once. */
  #goOn(lane: Lane | undefined): Delivery | undefined {
    const { task } = this;
    const next = lane === undefined || task.halted ? undefined : this.#nextOf(lane);
    this.#left(next);
    return next;
  }

  #nextOf(lane: Lane): Delivery | undefined {
    if (!lane.isEmpty && !lane.isToRest && !this.#owner.isPaused(this.task.topic, this.task.partition)) {
      const next = lane.shift() as Delivery;
      // It takes the place of the one before it, which is about to leave.
      return this.#enter(next);
    }
    this.#ended(lane);
    return undefined;
  }

  /**
   * No handler of a lane is running any more, or it has rested, or another record is its first now: it rests, becomes ready, or is
   * removed.
   */
  #ended(lane: Lane): void {
    if (lane.isResting) {
      lane.isResting = false;
      this.#resting--;
      this.#single.delete(lane);
    }
    lane.isBusy = !lane.isEmpty;
    if (!lane.isBusy) {
      if (lane.unit !== undefined) this.#lanes.delete(lane.unit);
      return;
    }
    if (lane.rest(() => this.#ended(lane))) {
      this.#resting++;
      if (lane.unit === undefined) this.#single.add(lane);
      return;
    }
    this.#ready.push(lane);
    // Later, because the caller is ending and takes the next record itself.
    queueMicrotask(() => this.#owner.offer(this));
  }

  /** A handler has ended; `next` starts in its place. */
  #left(next?: Delivery): void {
    this.#active--;
    if (this.#active > 0 || next !== undefined) return;
    const { task } = this;
    task.state = 'idle';
    if (task.halted) this.#owner.ended(task);
    this.#owner.memory.leave(task);
  }

  /**
   * The partition is being revoked, or its position has moved: drops waiting records; running handlers are the last.
   */
  halt(): void {
    for (const lane of this.#lanes.values()) lane.stop();
    for (const lane of this.#single) lane.stop();
    this.#lanes.clear();
    this.#single.clear();
    this.#batches.clear();
    this.#ready = [];
    this.#alone = undefined;
    this.#resting = 0;
  }

  /** The partition was revoked, or its position has moved: nothing is awaited any more but the end of running handlers. */
  close(): void {
    this.halt();
    for (const [sequence, delivery] of this.#unacked) {
      if (delivery.state !== 'running') this.#over(delivery, sequence);
    }
  }

  /** Commits the position, because a record takes long. */
  commit({ batch, index }: Delivery): void {
    const { task } = this;
    if (!task.revoked) this.#owner.acks.ack(task.assignment, batch.sequence(index), COMMIT);
  }

  /** All `replies` to a record are written, whose lane had already gone on. */
  completed(sequence: number, replies: number): void {
    const delivery = this.isManual ? this.#unacked.get(sequence) : undefined;
    if (delivery !== undefined && !delivery.isAcked) {
      delivery.replies = replies;
      return;
    }
    this.#owner.acks.ack(this.task.assignment, sequence, FINISHED, replies);
    if (delivery !== undefined) this.#over(delivery, sequence);
  }

  ack(delivery: Delivery): boolean {
    const { task } = this;
    if (task.isGone || delivery.isAcked || delivery.nackedFor !== undefined) return false;
    if (delivery.state === 'running') return (delivery.isAcked = true);
    if (delivery.state !== 'handled') return false;
    this.#finish(delivery);
    return true;
  }

  /** A record is finished whose lane had already gone on. */
  #finish(delivery: Delivery): void {
    delivery.isAcked = true;
    // While its replies are streamed, their end is awaited.
    if (delivery.replies === undefined) return;
    const sequence = delivery.batch.sequence(delivery.index);
    this.#owner.acks.ack(this.task.assignment, sequence, FINISHED, delivery.replies);
    this.#over(delivery, sequence);
  }

  nack(delivery: Delivery, delay: number): boolean {
    const { task } = this;
    if (task.isGone || delivery.isAcked || delivery.nackedFor !== undefined) return false;
    if (delivery.state === 'running') {
      delivery.nackedFor = delay;
      return true;
    }
    if (delivery.state !== 'handled' || !this.isManual) return false;
    this.#owner.released(delivery);
    const again = delivery.again();
    this.#unacked.set(delivery.batch.sequence(delivery.index), again);
    const outcome = refusedLate(again, delay, task, this.#owner);
    if (outcome instanceof Promise) own(this.#puttingAside(again, delay, outcome), this.#owner.onEscape);
    else this.#refused(again, delay, outcome);
    return true;
  }

  /** A refused record is being put aside: its lane waits for that, as does whoever revokes the partition. */
  async #puttingAside(delivery: Delivery, delay: number, outcome: Promise<Outcome | false>): Promise<void> {
    this.#comeAgain(delivery, Number.POSITIVE_INFINITY);
    const taken = await outcome;
    const { task } = this;
    const lane = task.halted ? undefined : delivery.lane;
    lane?.remove(delivery);
    if (!task.isGone) this.#refused(delivery, delay, taken);
    if (lane?.isResting) this.#ended(lane);
  }

  /** Redelivers a record that was refused after its handler had ended, or finishes it if it was put aside. */
  #refused(delivery: Delivery, delay: number, outcome: Outcome | false): void {
    const { batch, index } = delivery;
    const { acks, memory } = this.#owner;
    const { task } = this;
    if (outcome === false) {
      acks.ack(task.assignment, batch.sequence(index), RETURNED);
      this.failed(delivery);
      this.#comeAgain(delivery, delay);
      return;
    }
    if (delivery.failures > 0) memory.forget(task, batch.offset(index));
    if (outcome === INCOMPLETE) delivery.replies = undefined;
    else if (outcome === REPLIED && delivery.replies !== undefined) delivery.replies++;
    this.#finish(delivery);
  }

  /** Puts a record that had left its lane into its place there, where it rests for so many milliseconds. */
  #comeAgain(delivery: Delivery, milliseconds: number): void {
    if (this.task.halted) return;
    delivery.restFor(milliseconds);
    const lane = this.#laneOf(delivery);
    lane.insert(delivery);
    if (lane.isResting || !lane.isBusy) this.#ended(lane);
  }

  /** The current lane for a record that had left its lane: its key may have a new one by now. */
  #laneOf(delivery: Delivery): Lane {
    this.#joined();
    const unit = this.#unitOf(delivery.batch, delivery.index);
    let lane = unit === undefined ? undefined : this.#lanes.get(unit);
    if (lane === undefined) {
      lane = new Lane(unit);
      lane.isBusy = false;
      if (unit !== undefined) this.#lanes.set(unit, lane);
    }
    delivery.lane = lane;
    return lane;
  }

  /** A delivery of a record has failed. */
  failed(delivery: Delivery): void {
    delivery.failures++;
    this.#owner.memory.failedOf(this.task, delivery.batch.offset(delivery.index), delivery.failures);
  }
}
