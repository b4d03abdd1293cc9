import type { Batch, Consumer, ConsumerRunConfig, EachBatchHandler, EachBatchPayload } from 'kafkajs';
import { afterAll, expect, test } from 'vitest';
import { closeBroker, committed, rawProducer, untilCommitted } from '../harness/broker';
import { untilInHand } from '../harness/in-hand';
import { onEither } from '../harness/kinds';
import { OtherThread } from '../harness/other-thread';
import type { Kind } from '../harness/transports';
import { Gate, openGates, until } from '../harness/wait';
import { Collected, produce, topicOf, withConsumer } from './pair';

afterAll(async () => {
  openGates();
  await closeBroker();
});

const offsetsOf = (batch: Batch): number[] => batch.messages.map(({ offset }) => Number(offset));
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/**
 * A consumer of a topic of two partitions. The first one has a message; what arrives behind it while its batch is in the
 * handler is what is looked at. The other one has the marks of {@link Arrivals.send}.
 */
class Arrivals {
  /** The offsets of each batch. */
  readonly seen: number[][] = [];
  #marks = 0;
  #holds: { readonly entered: Gate; readonly release: Gate }[] = [];

  constructor(
    readonly kind: Kind,
    readonly consumer: Consumer,
    readonly groupId: string,
    readonly topic: string,
  ) {}

  /** Runs a handler of the batches of the first partition, whose first `held` calls are held. */
  async run(
    held: number,
    handle: (payload: EachBatchPayload, call: number) => unknown = () => undefined,
    config: ConsumerRunConfig = {},
  ): Promise<void> {
    this.#holds = Array.from({ length: held }, () => ({ entered: new Gate(), release: new Gate() }));
    const eachBatch: EachBatchHandler = async (payload) => {
      const { batch, resolveOffset } = payload;
      if (batch.partition === 1) {
        resolveOffset(batch.lastOffset());
        this.#marks++;
        return;
      }
      const call = this.seen.push(offsetsOf(batch));
      const hold = this.#holds[call - 1];
      hold?.entered.open();
      await hold?.release.pass();
      await handle(payload, call);
    };
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    await this.consumer.run({ ...config, eachBatch });
  }

  /** Resolves when a call of the handler is held. */
  entered(call: number): Promise<void> | undefined {
    return this.#holds[call - 1]?.entered.pass();
  }

  /** Lets a held call of the handler go on. */
  release(call: number): void {
    this.#holds[call - 1]?.release.open();
  }

  /**
   * Sends numbers one by one, each when the one before is stored. kafkajs fetches them when the handler has ended; here
   * they come while it runs, and have come when this resolves: they are in hand, and a mark behind them was handled.
   */
  async send(from: number, to: number, inHand: number): Promise<void> {
    for (let number = from; number < to; number++) await produce(this.topic, 1, number);
    if (this.kind === 'native') await this.haveCome(inHand);
  }

  /** Resolves when so many messages have come and are not handled. */
  async haveCome(inHand: number): Promise<void> {
    await untilInHand(this.topic, inHand);
    const marks = this.#marks;
    await produce(this.topic, 1, 0, 1);
    await until('the mark behind them is handled', () => this.#marks > marks);
  }

  /** The batches, when everything before an offset is handled and committed. */
  async handled(offset: number): Promise<number[][]> {
    await untilCommitted(this.groupId, this.topic, offset);
    return this.seen;
  }
}

function withArrivals<T>(kind: Kind, run: (arrivals: Arrivals) => Promise<T>): Promise<T> {
  return withConsumer(kind, async ({ consumer, groupId }) =>
    run(new Arrivals(kind, consumer, groupId, await topicOf(1, 2))),
  );
}

onEither(
  'what arrives one by one while a handler works is the next batch',
  (kind) =>
    withArrivals(kind, async (arrivals) => {
      await arrivals.run(1);
      await arrivals.entered(1);
      await arrivals.send(1, 101, 101);
      arrivals.release(1);
      return arrivals.handled(101);
    }),
  (picture) => expect(picture).toEqual([[0], numbers(1, 101)]),
);

onEither(
  'such a batch tells of itself as one, and so do the events around it',
  (kind) =>
    withArrivals(kind, async (arrivals) => {
      const { consumer } = arrivals;
      const seen = new Collected<unknown>();
      const events = new Collected<unknown>();
      for (const name of [consumer.events.START_BATCH_PROCESS, consumer.events.END_BATCH_PROCESS] as const) {
        consumer.on(name, ({ payload }) => {
          const { topic: _, ...rest } = payload;
          const duration = 'duration' in payload ? typeof payload.duration : 'none';
          if (rest.partition === 0) events.add({ ...rest, duration });
        });
      }
      await arrivals.run(1, ({ batch }) =>
        seen.add({
          messages: batch.messages.map(({ key, value, offset, headers }) => ({
            key,
            value,
            offset,
            headers,
          })),
          highWatermark: batch.highWatermark,
          first: batch.firstOffset(),
          last: batch.lastOffset(),
          lag: batch.offsetLag(),
          lagLow: batch.offsetLagLow(),
        }),
      );
      await arrivals.entered(1);
      await arrivals.send(1, 6, 6);
      arrivals.release(1);
      await arrivals.handled(6);
      await events.reach(4);
      return { seen: seen.items, events: events.items };
    }),
  (picture) =>
    expect(picture).toMatchObject({
      seen: [{ first: '0' }, { first: '1', last: '5', highWatermark: '6', lag: '0', lagLow: '4' }],
      events: [
        { batchSize: 1, duration: 'none' },
        { batchSize: 1, duration: 'number' },
        { batchSize: 5, firstOffset: '1', lastOffset: '5', highWatermark: '6', offsetLagLow: '4' },
        { batchSize: 5, duration: 'number' },
      ],
    }),
);

onEither(
  'what is left of such a batch comes again, with what has arrived since',
  (kind) =>
    withArrivals(kind, async (arrivals) => {
      await arrivals.run(
        2,
        ({ batch, resolveOffset }, call) => resolveOffset(call === 2 ? '4' : batch.lastOffset()),
        { eachBatchAutoResolve: false },
      );
      await arrivals.entered(1);
      await arrivals.send(1, 11, 11);
      arrivals.release(1);
      await arrivals.entered(2);
      await arrivals.send(11, 16, 15);
      arrivals.release(2);
      return arrivals.handled(16);
    }),
  (picture) => expect(picture).toEqual([[0], numbers(1, 11), numbers(5, 16)]),
);

onEither(
  'such a batch whose handler fails comes again from the first message that is not resolved',
  (kind) =>
    withArrivals(kind, async (arrivals) => {
      const { groupId, topic } = arrivals;
      let atFailure: number | undefined;
      await arrivals.run(1, async ({ resolveOffset }, call) => {
        if (call === 2) {
          resolveOffset('3');
          resolveOffset('7');
          throw new Error('on purpose');
        }
        if (call === 3) {
          await untilCommitted(groupId, topic, 8);
          atFailure = (await committed(groupId, topic))[0];
        }
      });
      await arrivals.entered(1);
      await arrivals.send(1, 11, 11);
      arrivals.release(1);
      return { seen: await arrivals.handled(11), atFailure };
    }),
  (picture) => expect(picture).toEqual({ seen: [[0], numbers(1, 11), numbers(8, 11)], atFailure: 8 }),
);

onEither(
  'what arrives in a paused partition is one batch after the resume',
  (kind) =>
    withArrivals(kind, async (arrivals) => {
      const { consumer, topic } = arrivals;
      await arrivals.run(0);
      await arrivals.handled(1);
      consumer.pause([{ topic, partitions: [0] }]);
      await arrivals.send(1, 21, 20);
      consumer.resume([{ topic, partitions: [0] }]);
      return arrivals.handled(21);
    }),
  (picture) => expect(picture).toEqual([[0], numbers(1, 21)]),
);

onEither(
  'a seek during a handler parts what came before it from what comes after it',
  (kind) =>
    withArrivals(kind, async (arrivals) => {
      const { consumer, topic } = arrivals;
      await arrivals.run(1);
      await arrivals.entered(1);
      await arrivals.send(1, 21, 21);
      consumer.seek({ topic, partition: 0, offset: '12' });
      arrivals.release(1);
      return (await arrivals.handled(21)).flat();
    }),
  (picture) => expect(picture).toEqual([0, ...numbers(12, 21)]),
);

test('what fails comes again as it was, without what has arrived since', () =>
  withArrivals('native', async (arrivals) => {
    await arrivals.run(1, (_, call) => {
      if (call < 3) throw new Error('on purpose');
    });
    await arrivals.entered(1);
    await arrivals.send(1, 11, 11);
    arrivals.release(1);
    expect(await arrivals.handled(11)).toEqual([[0], [0], [0], numbers(1, 11)]);
  }));

test('a batch has half a megabyte at most, however its messages have arrived', () =>
  withArrivals('native', async (arrivals) => {
    const { topic } = arrivals;
    await arrivals.run(1);
    await arrivals.entered(1);
    const producer = await rawProducer();
    const value = Buffer.alloc(100_000);
    for (let i = 0; i < 6; i++) await producer.send({ topic, messages: [{ partition: 0, value }] });
    await arrivals.haveCome(7);
    arrivals.release(1);
    const seen = await arrivals.handled(7);
    expect(seen.flat()).toEqual(numbers(0, 7));
    // A sixth would be too many; fewer are together if several came with one fetch, which are not parted.
    expect(Math.max(...seen.map(({ length }) => length))).toBeLessThanOrEqual(5);
  }));

test('what arrives while a handler keeps the event loop busy is the next batch, too', () =>
  withArrivals('native', async (arrivals) => {
    const other = await OtherThread.start(arrivals.topic);
    try {
      await arrivals.run(0, (_, call) => {
        if (call === 1) other.sendWhileThisWaits(100);
      });
      const seen = await arrivals.handled(101);
      expect(seen.flat()).toEqual(numbers(0, 101));
      // The last ones may still have been on their way when the handler ended.
      expect(seen.length).toBeLessThan(10);
    } finally {
      await other.end();
    }
  }));
