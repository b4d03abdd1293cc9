import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnContext } from '../../lib/application/async-context.js';
import { FINISHED, RETURNED } from '../../lib/boundary/acks.js';
import type { AckBuffer } from '../../lib/codec/acks.js';
import type { IncomingBatch } from '../../lib/codec/incoming.js';
import { KafkaBatchError } from '../../lib/runner/batch-error.js';
import type { FailurePolicy } from '../../lib/runner/failure-policy.js';
import type { Acknowledging } from '../../lib/runner/delivery.js';
import { HandlerWatch, sameFor } from '../../lib/runner/handler-watch.js';
import { NackError } from '../../lib/runner/nack-error.js';
import { PartitionMemory } from '../../lib/runner/partition-memory.js';
import type { PartitionTask } from '../../lib/runner/partition-task.js';
import { Runner } from '../../lib/runner/runner.js';
import type { TopicHandling } from '../../lib/runner/topic-handling.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a handler does with a record: `attempt` is the number of the delivery. */
type Handle = (index: number, attempt: number) => void | Promise<void>;

const HANDLINGS = {
  'a partition': { concurrency: { order: 'partition', max: 1, window: 1000 }, isManual: true },
  'a key': { concurrency: { order: 'key', max: 8, window: 1000 }, isManual: true },
  'no order': { concurrency: { order: 'none', max: 8, window: 1000 }, isManual: true },
  batches: {
    concurrency: { order: 'partition', max: 1, window: 1000 },
    isManual: true,
    batch: { maxMessages: 100, maxBytes: 1_000_000, maxWait: 0 },
  },
} satisfies Record<string, TopicHandling>;

/** A partition whose records are acknowledged by hand, and when each of them was handled. */
class World {
  /** `<index>@<time>`, of all deliveries. */
  readonly seen: string[] = [];
  /** The sequence of each acknowledgement that finishes a record or gives it back. */
  readonly acks: string[] = [];
  readonly contexts: Acknowledging[] = [];
  readonly runner: Runner;
  /** The sequence of the first record: they begin again at 0 behind 2^32 - 1. */
  readonly first: number;
  handle: Handle = () => undefined;
  /** The dead letters, if there are any: what becomes of a record after so many deliveries. */
  recover: FailurePolicy['recover'];
  #start = performance.now();

  /** What was told of handlers and acknowledgements that take too long. */
  readonly watched: string[] = [];

  constructor(
    kind: keyof typeof HANDLINGS,
    first = 0,
    keyOf: (index: number) => number = () => 7,
    limit = Number.POSITIVE_INFINITY,
  ) {
    this.first = first;
    this.#keyOf = keyOf;
    const called = (index: number, failures: number): void | Promise<void> => {
      this.seen.push(`${index}@${Math.round(performance.now() - this.#start)}`);
      return this.handle(index, failures + 1);
    };
    const acks = {
      ack: (_: number, sequence: number, flags: number) => {
        const index = (sequence - first) >>> 0;
        if ((flags & FINISHED) !== 0) this.acks.push(`finished ${index}`);
        if ((flags & RETURNED) !== 0) this.acks.push(`returned ${index}`);
      },
      handlerEnded: () => undefined,
      flush: () => undefined,
    } as unknown as AckBuffer;
    this.runner = new Runner({
      handler: {
        each: (task, _batch, index) => {
          this.contexts[index] = task.delivery as Acknowledging;
          return called(index, task.failures);
        },
      },
      handleItems: async (_task, deliveries) => {
        for (const delivery of deliveries) {
          this.contexts[delivery.index] = delivery;
          // oxlint-disable-next-line no-await-in-loop -- one after the other, as a handler would
          await called(delivery.index, delivery.failures);
        }
      },
      acks,
      memory: new PartitionMemory(),
      watch: new HandlerWatch(sameFor(limit), {
        slow: ({ offset }) => this.watched.push(`slow ${offset}`),
        recovered: () => this.watched.push('recovered'),
      }),
      originalError: (outcome) => outcome,
      context: new OwnContext(),
      concurrency: 1,
      handling: () => HANDLINGS[kind],
      failurePolicy: () => ({
        retry: { initialRetryTime: 300, maxRetryTime: 300, factor: 0, multiplier: 1, retries: 10 },
        recover: this.recover,
      }),
      isPaused: () => false,
      onFailure: () => undefined,
      onRetriesExceeded: () => this.seen.push('given up'),
      onEscape: (error) => this.seen.push(error.message),
    });
    this.runner.assign(1, 't', 0);
  }

  readonly #keyOf: (index: number) => number;

  push(start: number, end: number): void {
    this.runner.accept({
      partitions: () => [{ assignment: 1, start, end, highWatermark: -1 }],
      unit: this.#keyOf,
      sequence: (index: number) => (this.first + index) >>> 0,
      offset: String,
      size: () => 1,
      route: () => 0,
    } as unknown as IncomingBatch);
  }

  /** Records 0 to `count` are handled; the clock and the list of what was seen begin anew. */
  async handled(count: number): Promise<void> {
    this.push(0, count);
    await this.pass(1);
    expect(new Set(this.seen)).toEqual(new Set(Array.from({ length: count }, (_, index) => `${index}@0`)));
    this.seen.length = 0;
    this.#start = performance.now();
  }

  seek(isToMove?: boolean): void {
    this.runner.abandon(this.runner.find('t', 0) as PartitionTask, isToMove);
  }

  nack(index: number, delay: number): void {
    expect((this.contexts[index] as Acknowledging).nack(delay)).toBe(true);
  }

  /** Time goes on, millisecond by millisecond. */
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

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe.each(['a partition', 'a key', 'batches'] as const)('of %s, records refused later', (kind) => {
  it.each([
    ['as they were handled', [0, 1, 2, 3]],
    ['backwards', [3, 2, 1, 0]],
    ['in any order', [2, 0, 3, 1]],
  ])('come again in their order, refused %s', async (_, order) => {
    // Their sequences begin again at 0 among them.
    const world = new World(kind, 2 ** 32 - 2);
    await world.handled(4);
    for (const index of order) world.nack(index, 100);
    await world.pass(110);
    expect(world.seen).toEqual(['0@100', '1@100', '2@100', '3@100']);
  });

  it('come again each after its own delay', async () => {
    const world = new World(kind);
    await world.handled(2);
    world.nack(0, 50);
    world.nack(1, 1000);
    await world.pass(1010);
    expect(world.seen).toEqual(['0@50', '1@1000']);
  });

  it('wait for those before them that are to come later', async () => {
    const world = new World(kind);
    await world.handled(2);
    world.nack(1, 50);
    world.nack(0, 1000);
    world.push(2, 3);
    await world.pass(1010);
    expect(world.seen).toEqual(['0@1000', '1@1000', '2@1000']);
  });

  it('come before those that rest already, and those keep their time', async () => {
    const world = new World(kind);
    await world.handled(3);
    world.nack(2, 200);
    await world.pass(20);
    world.nack(0, 50);
    await world.pass(5);
    world.nack(1, 0);
    await world.pass(190);
    expect(world.seen).toEqual(['0@70', '1@70', '2@200']);
  });

  it('come before what fails meanwhile', async () => {
    const world = new World(kind);
    await world.handled(2);
    const handler: { fail?: (error: Error) => void } = {};
    world.handle = (index, attempt) => {
      if (index === 2 && attempt === 1) return new Promise((_, reject) => (handler.fail = reject));
    };
    world.push(2, 4);
    await world.pass(10);
    world.nack(1, 20);
    world.nack(0, 10);
    await world.pass(1);
    handler.fail?.(kind === 'batches' ? new KafkaBatchError(0) : new Error('no'));
    await world.pass(320);
    expect(world.seen).toEqual(['2@0', '0@20', '1@30', '2@311', '3@311']);
  });

  it('come again once, of which none is left behind', async () => {
    const world = new World(kind);
    await world.handled(200);
    for (let index = 0; index < 200; index++) world.nack((index * 77) % 200, ((index * 31) % 7) * 10);
    await world.pass(70);
    expect(world.seen.map((each) => Number.parseInt(each, 10))).toEqual(
      Array.from({ length: 200 }, (_, index) => index),
    );
    world.seen.length = 0;
    world.push(200, 201);
    await world.pass(2);
    expect(world.seen).toHaveLength(1);
  });

  it('are not handled after a halt', async () => {
    const world = new World(kind);
    await world.handled(2);
    world.nack(0, 50);
    world.runner.revoke([1]);
    world.nack(1, 10);
    world.runner.revoked([1]);
    await world.pass(100);
    expect(world.seen).toEqual([]);
  });
});

it('of no order, records refused later come again each after its own delay', async () => {
  const world = new World('no order');
  await world.handled(3);
  world.nack(0, 1000);
  world.nack(2, 20);
  world.nack(1, 50);
  await world.pass(1010);
  expect(world.seen).toEqual(['2@20', '1@50', '0@1000']);
});

it('of a key, a record refused later has only those of its key wait', async () => {
  const world = new World('a key', 0, (index) => index % 2);
  await world.handled(4);
  world.nack(0, 100);
  world.push(4, 6);
  await world.pass(10);
  expect(world.seen).toEqual(['5@0']);
  await world.pass(100);
  expect(world.seen).toEqual(['5@0', '0@100', '4@100']);
});

describe.each(['a partition', 'a key', 'no order', 'batches'] as const)('of %s, dead letters', (kind) => {
  /** A world whose records are put aside after `most` deliveries; what ends that, and what was asked. */
  function letters(most: number): {
    world: World;
    asked: unknown[][];
    puttingAside: { end: (outcome?: false) => void }[];
  } {
    const world = new World(kind);
    const asked: unknown[][] = [];
    const puttingAside: { end: (outcome?: false) => void }[] = [];
    world.recover = (error, task, _batch, index) => {
      asked.push([index, task.failures + 1, error instanceof NackError && error.delay]);
      if (task.failures + 1 < most) return false;
      return new Promise((end) => puttingAside.push({ end }));
    };
    return { world, asked, puttingAside };
  }

  it('get a record that is refused again and again after its handler has returned', async () => {
    const { world, asked, puttingAside } = letters(3);
    await world.handled(1);
    world.handle = (index) => void setImmediate(() => world.nack(index, 10));
    world.nack(0, 10);
    await world.pass(50);
    expect(asked).toEqual([
      [0, 1, 10],
      [0, 2, 10],
      [0, 3, 10],
    ]);
    expect(world.seen).toEqual(['0@10', '0@20']);
    // Until it is put aside it is neither finished nor to be handled again, and nobody can refuse it once more.
    expect(world.acks).toEqual(['returned 0', 'returned 0']);
    expect([world.contexts[0]?.nack(0), world.contexts[0]?.ack()]).toEqual([false, false]);
    puttingAside[0]?.end();
    await world.pass(50);
    expect(world.acks).toEqual(['returned 0', 'returned 0', 'finished 0']);
    expect(world.seen).toHaveLength(2);
    expect([world.contexts[0]?.nack(0), world.contexts[0]?.ack()]).toEqual([false, false]);
  });

  it('that cannot be written bring it again, in its place and after its delay', async () => {
    const { world, puttingAside } = letters(1);
    await world.handled(3);
    world.nack(1, 100);
    world.nack(0, 40);
    await world.pass(10);
    expect(world.acks).toEqual([]);
    puttingAside[0]?.end(false);
    await world.pass(1);
    puttingAside[1]?.end(false);
    await world.pass(120);
    expect(world.acks).toEqual(['returned 1', 'returned 0']);
    expect(world.seen.toSorted()).toEqual(['0@51', '1@110']);
  });

  it('being written have those behind it wait that keep their order with it', async () => {
    const { world, puttingAside } = letters(1);
    await world.handled(2);
    world.nack(0, 0);
    world.nack(1, 0);
    world.push(2, 3);
    await world.pass(30);
    expect(world.seen).toEqual(kind === 'no order' ? ['2@0'] : []);
    puttingAside[1]?.end();
    await world.pass(10);
    puttingAside[0]?.end();
    await world.pass(10);
    expect(world.acks).toEqual(['finished 1', 'finished 0']);
    expect(world.seen).toEqual([kind === 'no order' ? '2@0' : '2@40']);
    world.push(3, 4);
    await world.pass(2);
    expect(world.seen).toHaveLength(2);
  });

  it.each([
    ['are written', undefined, ['finished 0']],
    ['cannot be written', false, ['returned 0']],
  ] as const)('are waited for by a revocation: they %s', async (_, outcome, acks) => {
    const { world, puttingAside } = letters(1);
    await world.handled(1);
    world.nack(0, 10);
    world.runner.revoke([1]);
    await world.pass(20);
    // The core waits for the end of a record that was handled and is neither finished nor given back.
    expect(world.acks).toEqual([]);
    puttingAside[0]?.end(outcome);
    await world.pass(20);
    expect([world.acks, world.seen]).toEqual([acks, []]);
    world.runner.revoked([1]);
  });

  it('that come after the revocation change nothing', async () => {
    const { world, puttingAside } = letters(1);
    await world.handled(2);
    world.nack(0, 10);
    world.nack(1, 10);
    world.runner.revoke([1]);
    world.runner.revoked([1]);
    puttingAside[0]?.end();
    puttingAside[1]?.end(false);
    await world.pass(20);
    expect([world.acks, world.seen]).toEqual([[], []]);
  });
});

describe.each(['a partition', 'a key', 'no order', 'batches'] as const)('of %s, what is kept', (kind) => {
  it('of a delivery that has failed says nothing of the next one', async () => {
    const world = new World(kind);
    const ends: (() => void)[] = [];
    world.handle = (_, attempt) => {
      if (attempt === 1) throw new Error('once');
      return new Promise((resolve) => void ends.push(resolve));
    };
    world.push(0, 1);
    await world.pass(1);
    const failed = world.contexts[0] as Acknowledging;
    await world.pass(310);
    const running = world.contexts[0] as Acknowledging;
    expect([failed.ack(), failed.nack(0)]).toEqual([false, false]);
    ends[0]?.();
    await world.pass(1);
    expect([failed.ack(), failed.nack(0), running.ack()]).toEqual([false, false, true]);
    await world.pass(310);
    expect([world.seen, world.acks]).toEqual([['0@0', '0@300'], ['finished 0']]);
  });

  it('of a delivery that was refused later says nothing of the next one', async () => {
    const world = new World(kind);
    await world.handled(1);
    const refused = world.contexts[0] as Acknowledging;
    world.nack(0, 50);
    await world.pass(60);
    expect(world.seen).toEqual(['0@50']);
    expect([refused.ack(), refused.nack(0)]).toEqual([false, false]);
    expect((world.contexts[0] as Acknowledging).ack()).toBe(true);
    expect(world.acks).toEqual(['returned 0', 'finished 0']);
  });
});

describe.each(['a partition', 'a key', 'no order', 'batches'] as const)('of %s, a seek', (kind) => {
  it('ends the wait for records that were handled, of which nothing can be said any more', async () => {
    const world = new World(kind, 0, undefined, 20);
    await world.handled(3);
    const [first, second, third] = world.contexts as [Acknowledging, Acknowledging, Acknowledging];
    expect(first.ack()).toBe(true);
    await world.pass(100);
    expect(world.watched).toEqual(['slow 1', 'slow 2']);
    world.seek();
    expect(world.watched).toEqual(['slow 1', 'slow 2', 'recovered']);
    world.recover = () => {
      throw new Error('it is put aside');
    };
    expect([second.ack(), third.nack(0)]).toEqual([false, false]);
    world.runner.assign(2, 't', 0);
    await world.pass(100);
    expect([second.ack(), third.nack(0)]).toEqual([false, false]);
    expect(world.acks).toEqual(['finished 0']);
    expect(world.watched).toHaveLength(3);
  });

  it('leaves a running handler watched, until it ends', async () => {
    const world = new World(kind, 0, undefined, 20);
    const handler: { end?: () => void } = {};
    world.handle = () => new Promise((resolve) => (handler.end = resolve));
    world.push(0, 1);
    await world.pass(1);
    world.seek();
    await world.pass(100);
    expect(world.watched).toEqual(['slow 0']);
    expect(world.contexts[0]?.ack()).toBe(false);
    handler.end?.();
    await world.pass(1);
    expect(world.watched).toEqual(['slow 0', 'recovered']);
  });

  it('back to the first unfinished record takes acknowledgements until it is carried out', async () => {
    const world = new World(kind);
    await world.handled(2);
    world.seek(true);
    expect(world.contexts[0]?.ack()).toBe(true);
    world.runner.assign(2, 't', 0);
    expect(world.contexts[1]?.ack()).toBe(false);
    expect(world.acks).toEqual(['finished 0']);
  });
});

describe.each(['a partition', 'a key', 'no order', 'batches'] as const)('of %s, the watch', (kind) => {
  it('tells of what is not acknowledged in time, until it is, is refused, or is revoked', async () => {
    const world = new World(kind, 0, undefined, 20);
    await world.handled(3);
    await world.pass(10);
    expect(world.watched).toEqual([]);
    await world.pass(100);
    expect(world.watched).toEqual(['slow 0', 'slow 1', 'slow 2']);
    expect(world.contexts[0]?.ack()).toBe(true);
    world.nack(1, 10_000);
    expect(world.watched).toHaveLength(3);
    world.runner.revoke([1]);
    world.runner.revoked([1]);
    expect(world.watched.slice(3)).toEqual(['recovered']);
  });
});
