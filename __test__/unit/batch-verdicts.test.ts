import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnContext } from '../../lib/application/async-context.js';
import { FINISHED } from '../../lib/boundary/acks.js';
import type { AckBuffer } from '../../lib/codec/acks.js';
import type { IncomingBatch } from '../../lib/codec/incoming.js';
import { BatchItemError, KafkaBatchError } from '../../lib/runner/batch-error.js';
import type { Delivery } from '../../lib/runner/delivery.js';
import type { FailurePolicy } from '../../lib/runner/failure-policy.js';
import { NackError } from '../../lib/runner/nack-error.js';
import { PartitionMemory } from '../../lib/runner/partition-memory.js';
import { Runner } from '../../lib/runner/runner.js';

// What a handler of batches has said of single records holds when it throws afterwards.

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A partition with a handler of batches that fails with the first of them. */
class World {
  /** `<indexes>@<time>` of each batch. */
  readonly seen: string[] = [];
  readonly finished: number[] = [];
  /** Each record that was to be put aside, with what it had failed with, and after how many deliveries. */
  readonly asked: unknown[][] = [];
  recover: FailurePolicy['recover'];
  isFinal = false;
  isPaused = false;
  first: readonly Delivery[] = [];
  readonly #start = performance.now();

  constructor(fail: (deliveries: readonly Delivery[], world: World) => Error, count = 4) {
    const runner = new Runner({
      handler: { each: () => undefined },
      handleItems: async (_task, deliveries) => {
        const indexes = deliveries.map(
          ({ index, failures }) => `${index}${failures > 0 ? `/${failures}` : ''}`,
        );
        this.seen.push(`${indexes.join(' ')}@${Math.round(performance.now() - this.#start)}`);
        if (this.first.length > 0) return;
        this.first = deliveries;
        throw fail(deliveries, this);
      },
      acks: {
        ack: (_: number, sequence: number, flags: number) => {
          if ((flags & FINISHED) !== 0) this.finished.push(sequence);
        },
        handlerEnded: () => undefined,
        flush: () => undefined,
      } as unknown as AckBuffer,
      memory: new PartitionMemory(),
      originalError: (outcome) => outcome,
      context: new OwnContext(),
      concurrency: 1,
      handling: () => ({
        concurrency: { order: 'partition', max: 1, window: 1000 },
        isManual: false,
        batch: { maxMessages: 100, maxBytes: 1_000_000, maxWait: 0 },
      }),
      failurePolicy: () => ({
        retry: { initialRetryTime: 300, maxRetryTime: 300, factor: 0, multiplier: 1, retries: 10 },
        isFinal: this.isFinal ? () => true : undefined,
        recover:
          this.recover &&
          ((error, task, batch, index) => {
            this.asked.push([index, error instanceof NackError ? 'nack' : String(error), task.failures + 1]);
            return (this.recover as NonNullable<typeof this.recover>)(error, task, batch, index);
          }),
      }),
      isPaused: () => this.isPaused,
      onFailure: () => undefined,
      onRetriesExceeded: () => this.seen.push('given up'),
      onEscape: (error) => this.seen.push(error.message),
    });
    runner.assign(1, 't', 0);
    runner.accept({
      partitions: () => [{ assignment: 1, start: 0, end: count, highWatermark: -1 }],
      sequence: (index: number) => index,
      offset: String,
      size: () => 1,
      route: () => 0,
    } as unknown as IncomingBatch);
    this.resume = () => runner.resume();
  }

  readonly resume: () => void;

  async pass(milliseconds: number): Promise<void> {
    for (let i = 0; i < milliseconds; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await turn();
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await vi.advanceTimersByTimeAsync(1);
    }
    await turn();
  }
}

/** The handler's error, after it has refused a record. */
const refusing =
  (index: number, delay: number, error: Error) =>
  (deliveries: readonly Delivery[]): Error => {
    expect(deliveries[index]?.nack(delay)).toBe(true);
    return error;
  };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a record that was refused before the handler threw comes again after its delay', () => {
  it('behind the one that the error names', async () => {
    const world = new World(refusing(2, 1000, new KafkaBatchError(0)));
    await world.pass(1010);
    expect(world.seen).toEqual(['0 1 2 3@0', '0/1 1@300', '2/1 3@1000']);
  });

  it('if the error names it, too', async () => {
    const world = new World(refusing(1, 50, new KafkaBatchError(1)));
    await world.pass(400);
    expect(world.seen).toEqual(['0 1 2 3@0', '1/1 2 3@50']);
    expect(world.finished).toEqual([0, 1, 2, 3]);
  });

  it('if nothing was handled', async () => {
    const world = new World(refusing(0, 50, new BatchItemError(2, new Error('no payload'))));
    await world.pass(400);
    expect(world.seen).toEqual(['0 1 2 3@0', '0/1@50', '1 2/1 3@300']);
  });

  it('if the error names none', async () => {
    const world = new World(refusing(1, 1000, new Error('any')));
    await world.pass(1010);
    expect(world.seen).toEqual(['0 1 2 3@0', '0/1@300', '1/1 2/1 3/1@1000']);
  });

  it('also when all are', async () => {
    const world = new World((deliveries) => {
      for (const delivery of deliveries) delivery.nack(50);
      return new Error('any');
    }, 2);
    await world.pass(400);
    expect(world.seen).toEqual(['0 1@0', '0/1 1/1@50']);
  });

  it('if the others wait for the end of a pause', async () => {
    const world = new World((deliveries) => {
      world.isPaused = true;
      return refusing(1, 50, new Error('any'))(deliveries);
    });
    await world.pass(10);
    world.isPaused = false;
    world.resume();
    await world.pass(60);
    expect(world.seen).toEqual(['0 1 2 3@0', '0@10', '1/1 2 3@50']);
  });

  it('and is put aside as one that was refused', async () => {
    const world = new World(refusing(2, 1000, new KafkaBatchError(0, new Error('bad'))));
    world.recover = () => undefined;
    await world.pass(10);
    expect(world.asked).toEqual([
      [0, 'Error: bad', 1],
      [2, 'nack', 1],
    ]);
    expect(world.seen).toEqual(['0 1 2 3@0', '1 3@0']);
    expect(world.finished).toEqual([0, 2, 1, 3]);
  });
});

/** A world that is putting a record aside, and the end of that. */
async function puttingAside(
  fail: (deliveries: readonly Delivery[]) => Error,
): Promise<{ world: World; end: (outcome?: false) => void }> {
  const world = new World(fail);
  const ends: ((outcome?: false) => void)[] = [];
  world.recover = () => new Promise((resolve) => ends.push(resolve));
  await world.pass(5);
  expect(world.asked).toHaveLength(1);
  return { world, end: (outcome) => ends[0]?.(outcome) };
}

describe('while a record is being put aside', () => {
  it('others that are acknowledged do not come again', async () => {
    const { world, end } = await puttingAside(() => new KafkaBatchError(0));
    expect([world.first[1]?.ack(), world.first[2]?.ack()]).toEqual([true, true]);
    end();
    await world.pass(10);
    expect(world.seen).toEqual(['0 1 2 3@0', '3@5']);
    expect(world.finished).toEqual([1, 2, 0, 3]);
  });

  it('it may be acknowledged itself, and is finished once', async () => {
    const { world, end } = await puttingAside(() => new KafkaBatchError(0));
    expect(world.first[0]?.ack()).toBe(true);
    end(false);
    await world.pass(400);
    expect(world.seen).toEqual(['0 1 2 3@0', '1 2 3@5']);
    expect(world.finished).toEqual([0, 1, 2, 3]);
  });
});

it('a record that was acknowledged while those before it are put aside is not put aside for the error', async () => {
  const { world, end } = await puttingAside(refusing(0, 50, new KafkaBatchError(1)));
  expect(world.first[1]?.ack()).toBe(true);
  end();
  await world.pass(400);
  expect(world.asked).toEqual([[0, 'nack', 1]]);
  expect(world.seen).toEqual(['0 1 2 3@0', '2 3@5']);
  expect(world.finished).toEqual([1, 0, 2, 3]);
});
