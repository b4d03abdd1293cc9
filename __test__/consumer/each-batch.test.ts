import type { Batch, EachBatchPayload } from 'kafkajs';
import { afterAll, expect, test } from 'vitest';
import { closeBroker, committed, untilCommitted } from '../harness/broker';
import { onEither } from '../harness/kinds';
import { Gate, openGates, until } from '../harness/wait';
import { Collected, produce, topicOf, withConsumer } from './pair';

afterAll(async () => {
  openGates();
  await closeBroker();
});

const sum = (list: number[] = []): number => list.reduce((a, b) => a + b, 0);
const offsetsOf = (batch: Batch): string[] => batch.messages.map(({ offset }) => offset);

onEither(
  'a batch tells of its messages and of its partition',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const topic = await topicOf(5);
      const seen = new Collected<unknown>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatch: async ({ batch, isRunning, isStale, uncommittedOffsets }) => {
          seen.add({
            topic: batch.topic === topic,
            partition: batch.partition,
            highWatermark: batch.highWatermark,
            messages: batch.messages.map(({ key, value, offset, timestamp, headers }) => ({
              key,
              value,
              offset,
              timestamp,
              headers,
            })),
            isEmpty: batch.isEmpty(),
            first: batch.firstOffset(),
            last: batch.lastOffset(),
            lag: batch.offsetLag(),
            lagLow: batch.offsetLagLow(),
            running: isRunning(),
            stale: isStale(),
            uncommitted: uncommittedOffsets(),
          });
        },
      });
      return seen.reach(1);
    }),
  (picture) =>
    expect(picture).toMatchObject([
      { topic: true, highWatermark: '5', first: '0', last: '4', lag: '0', lagLow: '4', running: true },
    ]),
);

onEither(
  'what a handler resolves does not come again, and what it does not resolve does',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(5);
      const seen = new Collected<string[]>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatchAutoResolve: false,
        eachBatch: async ({ batch, resolveOffset }) => {
          seen.add(offsetsOf(batch));
          const [first, second] = batch.messages;
          if (first) resolveOffset((second ?? first).offset);
        },
      });
      await seen.reach(3);
      await untilCommitted(groupId, topic, 5);
      return seen.items;
    }),
  (picture) => expect(picture).toEqual([['0', '1', '2', '3', '4'], ['2', '3', '4'], ['4']]),
);

onEither(
  'a batch whose handler fails comes again from the first message that is not resolved',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(4);
      const seen = new Collected<string[]>();
      const atFailure: unknown[] = [];
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatch: async ({ batch, resolveOffset }) => {
          seen.add(offsetsOf(batch));
          if (seen.items.length === 1) {
            resolveOffset('1');
            throw new Error('on purpose');
          }
          // What was resolved before is committed when the batch comes again.
          await untilCommitted(groupId, topic, 2);
          atFailure.push(await committed(groupId, topic));
        },
      });
      await untilCommitted(groupId, topic, 4);
      return { seen: seen.items, atFailure };
    }),
  (picture) =>
    expect(picture).toEqual({
      seen: [
        ['0', '1', '2', '3'],
        ['2', '3'],
      ],
      atFailure: [{ 0: 2 }],
    }),
);

onEither(
  'a handler that fails too often crashes the consumer, which starts again',
  (kind) =>
    withConsumer(
      kind,
      async ({ consumer, groupId }) => {
        const topic = await topicOf(2);
        const crashes = new Collected<unknown>();
        consumer.on(consumer.events.CRASH, ({ payload }) => {
          const { error, restart } = payload;
          crashes.add({ name: error.name, message: error.message, restart });
        });
        let attempts = 0;
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({
          eachBatch: async () => {
            attempts++;
            if (crashes.items.length === 0) throw new Error('on purpose');
          },
        });
        await untilCommitted(groupId, topic, 2);
        return { crashes: crashes.items, attempts };
      },
      { retry: { retries: 2, initialRetryTime: 50, factor: 0, multiplier: 1 } },
    ),
  (picture) =>
    expect(picture).toMatchObject({
      crashes: [{ name: 'KafkaJSNumberOfRetriesExceeded', message: 'on purpose', restart: true }],
      attempts: 4,
    }),
);

onEither(
  'offsets can be looked at and committed from inside',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(4);
      const steps: unknown[] = [];
      const done = new Gate();
      const uncommitted = ({ uncommittedOffsets }: EachBatchPayload): unknown =>
        uncommittedOffsets().topics.map(({ topic: name, partitions }) => ({
          topic: name === topic,
          // kafkajs names partitions by texts here, whatever its types say.
          partitions: partitions.map(({ partition, offset }) => ({ partition: Number(partition), offset })),
        }));
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommitThreshold: 3,
        eachBatch: async (payload) => {
          const { resolveOffset, commitOffsetsIfNecessary } = payload;
          resolveOffset('0');
          await commitOffsetsIfNecessary();
          steps.push(uncommitted(payload), await committed(groupId, topic));
          resolveOffset('2');
          await commitOffsetsIfNecessary();
          steps.push(uncommitted(payload), await committed(groupId, topic));
          await commitOffsetsIfNecessary({
            topics: [{ topic, partitions: [{ partition: 0, offset: '2' }] }],
          });
          steps.push(await committed(groupId, topic));
          done.open();
        },
      });
      await done.pass();
      await untilCommitted(groupId, topic, 4);
      return steps;
    }),
  (picture) =>
    expect(picture).toEqual([
      [{ topic: true, partitions: [{ partition: 0, offset: '1' }] }],
      { 0: -1 },
      [],
      { 0: 3 },
      { 0: 2 },
    ]),
);

onEither(
  'nothing is committed unasked without autoCommit',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(3);
      const seen = new Collected<string>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => batch.messages.forEach(({ offset }) => seen.add(offset)),
      });
      await seen.reach(3);
      await consumer.stop();
      return committed(groupId, topic);
    }),
  (picture) => expect(picture).toEqual({ 0: -1 }),
);

onEither(
  'a seek makes the batch stale, and the partition goes on where it leads',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const topic = await topicOf(4);
      const seen = new Collected<unknown>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatch: async ({ batch, isStale }) => {
          const first = seen.items.length === 0;
          if (first) consumer.seek({ topic, partition: 0, offset: '2' });
          seen.add([isStale(), ...offsetsOf(batch)]);
        },
      });
      return seen.reach(2);
    }),
  (picture) =>
    expect(picture).toEqual([
      [true, '0', '1', '2', '3'],
      [false, '2', '3'],
    ]),
);

onEither(
  'a handler pauses its partition and gets the same messages after the resume',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const topic = await topicOf(2);
      const seen = new Collected<unknown>();
      let resume: (() => void) | undefined;
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatchAutoResolve: false,
        eachBatch: async ({ batch, pause, resolveOffset }) => {
          seen.add(offsetsOf(batch));
          if (seen.items.length === 1) resume = pause();
          else resolveOffset(batch.lastOffset());
        },
      });
      await seen.reach(1);
      const paused = await until('it is paused', () => consumer.paused().length > 0 && consumer.paused());
      await produce(topic, 1, 2);
      const meanwhile = seen.items.length;
      resume?.();
      await until('all have come', () => seen.items.flat().includes('2'));
      const again = seen.items.slice(1).flat();
      return {
        paused: paused.map(({ partitions }) => partitions),
        meanwhile,
        again,
        still: consumer.paused(),
      };
    }),
  (picture) => expect(picture).toEqual({ paused: [[0]], meanwhile: 1, again: ['0', '1', '2'], still: [] }),
);

onEither(
  'a handler sees that the consumer stops, which waits for it',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(3);
      const [entered, stopping] = [new Gate(), new Gate()];
      const states: boolean[] = [];
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatchAutoResolve: false,
        eachBatch: async ({ batch, isRunning, resolveOffset }) => {
          states.push(isRunning());
          resolveOffset(batch.firstOffset() as string);
          entered.open();
          await stopping.pass();
          await until('it is told', () => !isRunning());
          states.push(isRunning());
        },
      });
      await entered.pass();
      const stopped = consumer.stop();
      stopping.open();
      await stopped;
      return { states, committed: await committed(groupId, topic) };
    }),
  (picture) => expect(picture).toEqual({ states: [true, false], committed: { 0: 1 } }),
);

onEither(
  'of both handlers, that of messages is called',
  (kind) =>
    withConsumer(kind, async ({ consumer }) => {
      const topic = await topicOf(1);
      const called = new Collected<string>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachMessage: async () => called.add('message'),
        eachBatch: async () => called.add('batch'),
      });
      return called.reach(1);
    }),
  (picture) => expect(picture).toEqual(['message']),
);

test('what a handler leaves out because it is told to stop is not resolved for it', () =>
  withConsumer('native', async ({ consumer, groupId }) => {
    const topic = await topicOf(3);
    const [entered, stopping] = [new Gate(), new Gate()];
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch, isRunning, isStale, resolveOffset }) => {
        for (const { offset } of batch.messages) {
          if (!isRunning() || isStale()) break;
          resolveOffset(offset);
          entered.open();
          await stopping.pass();
          await until('it is told', () => !isRunning());
        }
      },
    });
    await entered.pass();
    const stopped = consumer.stop();
    stopping.open();
    await stopped;
    // kafkajs would commit 3 here, and lose two messages.
    expect(await committed(groupId, topic)).toEqual({ 0: 1 });
  }));

test('batches are large where there is much to read, and partitions are handled side by side', () =>
  withConsumer('native', async ({ consumer }) => {
    const topic = await topicOf(0, 2);
    await Promise.all([produce(topic, 3000, 0, 0), produce(topic, 3000, 0, 1)]);
    const counts = new Map<number, number[]>();
    const [first, second] = [new Gate(), new Gate()];
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch }) => {
        const list = counts.get(batch.partition) ?? [];
        counts.set(batch.partition, list);
        list.push(batch.messages.length);
        // Each waits for the other: with one at a time this would never end.
        if (batch.partition === 0) first.open();
        else second.open();
        await (batch.partition === 0 ? second : first).pass();
      },
    });
    await until('all are handled', () => [0, 1].every((p) => sum(counts.get(p)) === 3000));
    for (const list of counts.values()) expect(list.length).toBeLessThan(300);
  }));

onEither(
  'the messages of a batch are a plain property, which a handler may set',
  (kind) =>
    withConsumer(kind, async ({ consumer, groupId }) => {
      const topic = await topicOf(4);
      const seen = new Collected<unknown>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatch: async ({ batch }) => {
          const [first] = batch.messages;
          const own = Object.getOwnPropertyDescriptor(batch, 'messages');
          batch.messages = batch.messages.filter(({ offset }) => Number(offset) % 2 === 0);
          const kept = offsetsOf(batch);
          batch.messages = [];
          seen.add({
            own: { ...own, value: own?.value.length },
            first: first?.offset,
            kept,
            spread: { ...batch }.messages,
            isEmpty: batch.isEmpty(),
            firstOffset: batch.firstOffset(),
            lastOffset: batch.lastOffset(),
            lag: batch.offsetLagLow(),
          });
        },
      });
      await seen.reach(1);
      await untilCommitted(groupId, topic, 4);
      return seen.items;
    }),
  (picture) => expect(picture).toMatchObject([{ kept: ['0', '2'], isEmpty: true, lastOffset: '3' }]),
);

onEither(
  'an offset above 2^53 is committed as it is',
  (kind) =>
    withConsumer(kind, async ({ consumer, kafka, groupId }) => {
      const topic = await topicOf(1);
      const seen = new Collected<string>();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          await consumer.commitOffsets([{ topic, partition: batch.partition, offset: '9007199254740993' }]);
          seen.add(batch.lastOffset());
        },
      });
      await seen.reach(1);
      const admin = kafka.admin();
      await admin.connect();
      const [fetched] = await admin.fetchOffsets({ groupId, topics: [topic] });
      await admin.disconnect();
      return fetched?.partitions;
    }),
  (picture) => expect(picture).toMatchObject([{ offset: '9007199254740993' }]),
);
