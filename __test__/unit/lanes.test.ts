import { describe, expect, it } from 'vitest';
import { OwnContext } from '../../lib/application/async-context.js';
import { ADVANCE, FINISHED } from '../../lib/boundary/acks.js';
import type { AckBuffer } from '../../lib/codec/acks.js';
import type { IncomingBatch } from '../../lib/codec/incoming.js';
import { Breath } from '../../lib/runner/breath.js';
import type { FailurePolicy } from '../../lib/runner/failure-policy.js';
import { LanePool } from '../../lib/runner/lane-pool.js';
import { LaneTask } from '../../lib/runner/lane-task.js';
import { PartitionMemory } from '../../lib/runner/partition-memory.js';
import { PartitionTask } from '../../lib/runner/partition-task.js';

/** Numbers that look random, the same ones for a seed. */
function generator(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const failurePolicy = (): FailurePolicy => ({
  retry: { initialRetryTime: 1, maxRetryTime: 2, factor: 0, multiplier: 1, retries: 1000 },
});

/** A partition of records whose keys are given, and what was made of them. */
class World {
  readonly memory = new PartitionMemory();
  readonly finished = new Map<number, number>();
  readonly begun: number[] = [];
  readonly order = new Map<number, number[]>();
  readonly running = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  readonly problems: string[] = [];
  readonly keysRunning = new Set<number>();
  paused = false;
  ended = 0;
  most = 0;
  readonly task: PartitionTask;
  readonly lanes: LaneTask;
  readonly #pool: LanePool;

  constructor(
    readonly keys: (number | undefined)[],
    order: 'key' | 'none',
    max: number,
    assignment = 1,
    memory?: PartitionMemory,
  ) {
    if (memory) this.memory = memory;
    this.task = new PartitionTask(assignment, 't', 0);
    const acks = {
      ack: (_: number, sequence: number, flags: number) => {
        if ((flags & FINISHED) !== 0) this.finished.set(sequence, (this.finished.get(sequence) ?? 0) + 1);
        else if ((flags & ADVANCE) !== 0) this.problems.push(`${sequence} advanced without an end`);
      },
    } as unknown as AckBuffer;
    const onEscape = (error: Error): void => void this.problems.push(error.message);
    this.#pool = new LanePool(max, {
      handler: () => (_task, _batch, index) => this.#handle(index),
      context: new OwnContext(),
      breath: new Breath(),
      failurePolicy,
      isPaused: () => this.paused,
      onFailure: () => undefined,
      onRetriesExceeded: () => this.problems.push('given up'),
      onEscape,
    });
    this.lanes = new LaneTask(
      this.task,
      { concurrency: { order, max, window: 1000 }, isManual: false },
      {
        acks,
        memory: this.memory,
        isPaused: () => this.paused,
        failurePolicy,
        onEscape,
        offer: (lanes) => this.#pool.offer(lanes),
        ended: () => this.ended++,
        released: () => undefined,
      },
    );
  }

  push(from: number, to: number): void {
    const batch = {
      unit: (index: number) => this.keys[index],
      sequence: (index: number) => index,
      offset: (index: number) => String(index),
    } as unknown as IncomingBatch;
    this.task.push({ batch, index: from, end: to, highWatermark: -1 });
    this.lanes.offer();
  }

  #handle(index: number): Promise<void> {
    const key = this.keys[index];
    if (key !== undefined) {
      if (this.keysRunning.has(key)) this.problems.push(`key ${key} twice at once`);
      this.keysRunning.add(key);
    }
    if (this.task.halted) this.problems.push(`${index} begins after the halt`);
    if (this.paused) this.problems.push(`${index} begins in a pause`);
    this.begun.push(index);
    return new Promise<void>((resolve, reject) => {
      this.running.set(index, { resolve, reject });
      this.most = Math.max(this.most, this.running.size);
    });
  }

  /** The handler of a record ends. */
  end(index: number, fails: boolean): void {
    const { resolve, reject } = this.running.get(index)!;
    this.running.delete(index);
    const key = this.keys[index];
    if (key !== undefined) this.keysRunning.delete(key);
    if (fails) {
      reject(new Error('no'));
      return;
    }
    if (key !== undefined) this.order.set(key, [...(this.order.get(key) ?? []), index]);
    resolve();
  }
}

describe('lanes', () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'keep the order of each key, and handle each record once, whatever ends when: seed %i',
    async (seed) => {
      const random = generator(seed + 1);
      const count = 40 + random(100);
      const keys = Array.from({ length: count }, () => (random(6) === 0 ? undefined : random(8)));
      const max = 1 + random(6);
      const world = new World(keys, 'key', max);
      let pushed = 0;
      let rounds = 0;
      while (world.finished.size < count && rounds++ < 20_000) {
        if (pushed < count && random(4) === 0) {
          const to = Math.min(count, pushed + 1 + random(30));
          world.push(pushed, to);
          pushed = to;
        }
        if (random(30) === 0) world.paused = true;
        else if (world.paused && random(3) === 0) {
          world.paused = false;
          world.lanes.offer();
        }
        const running = [...world.running.keys()];
        if (running.length > 0) world.end(running[random(running.length)]!, random(5) === 0 && !world.paused);
        // oxlint-disable-next-line no-await-in-loop -- one thing after the other
        await turn();
      }
      expect(world.problems).toEqual([]);
      expect(world.most).toBeLessThanOrEqual(max);
      expect([...world.finished.values()].every((times) => times === 1)).toBe(true);
      expect(world.finished.size).toBe(count);
      for (const [key, indexes] of world.order) {
        expect(indexes).toEqual(keys.flatMap((each, index) => (each === key ? [index] : [])));
      }
    },
  );

  it('begin nothing after a halt, and the next assignment begins when the last handler has ended', async () => {
    const keys = [1, 2, 3, 1, 2, 3];
    const old = new World(keys, 'key', 8);
    old.push(0, 6);
    expect(old.begun).toEqual([0]);
    await turn();
    expect(old.begun).toEqual([0, 1, 2]);
    old.task.halt();
    old.lanes.halt();
    const next = new World(keys, 'key', 8, 2, old.memory);
    next.push(3, 6);
    old.end(0, false);
    old.end(1, true);
    await turn();
    expect([next.begun, old.ended]).toEqual([[], 0]);
    old.end(2, false);
    await turn();
    await turn();
    await turn();
    expect([old.begun, old.ended]).toEqual([[0, 1, 2], 1]);
    expect(next.begun).toEqual([3, 4, 5]);
  });

  it('are worked on one after the other by handlers that do not wait, and more at once while they do', async () => {
    const world = new World([1, 2, 3, 4, 5, 6], 'key', 3);
    world.push(0, 2);
    expect(world.begun).toEqual([0]);
    world.end(0, false);
    await turn();
    expect(world.begun).toEqual([0, 1]);
    world.push(2, 6);
    await turn();
    expect(world.begun).toEqual([0, 1, 2, 3]);
    for (const index of [3, 1, 2]) world.end(index, false);
    await turn();
    expect([...world.running.keys()]).toEqual([4, 5]);
    for (const index of [4, 5]) world.end(index, false);
    await turn();
    expect(world.finished.size).toBe(6);
    expect(world.most).toBe(3);
  });

  it('without an order are of one record each', async () => {
    const world = new World([1, 1, 1], 'none', 8);
    // They may overlap.
    world.keys.fill(undefined);
    world.push(0, 3);
    await turn();
    expect(world.begun).toEqual([0, 1, 2]);
    for (const index of [2, 0, 1]) world.end(index, false);
    await turn();
    expect([...world.finished.keys()]).toEqual([2, 0, 1]);
  });
});
