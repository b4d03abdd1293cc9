import { describe, expect, it } from 'vitest';
import type { AdminContext } from '../../lib/kafkajs/admin/context.js';
import { describeGroups, groupState } from '../../lib/kafkajs/admin/groups.js';
import { deleteTopicRecords, resetOffsets } from '../../lib/kafkajs/admin/offsets.js';
import { codeOf } from '../../lib/kafkajs/errors/codes.js';
import { resolveRetry } from '../../lib/kafkajs/retry/retry.js';

// Which answers of the core are asked for again. What brokers answer is in the tests of the admin client.

type Answers = Record<string, (argument: unknown) => unknown>;

const LOADING = codeOf('GROUP_LOAD_IN_PROGRESS');
const MOVED = codeOf('NOT_LEADER_FOR_PARTITION');

/** A context whose core answers each call by these functions, and what was called. */
function contextOf(answers: Answers): { context: AdminContext; calls: string[] } {
  const calls: string[] = [];
  const native = new Proxy(
    {},
    {
      get: (_, name: string) => (argument: unknown) => {
        calls.push(name);
        return Promise.resolve(answers[name]?.(argument));
      },
    },
  );
  const context = {
    native: () => native,
    logger: { warn: () => undefined },
    retry: resolveRetry({ retries: 2, initialRetryTime: 1 }),
    requestTimeoutMs: 1000,
    rest: () => Promise.resolve(),
  } as unknown as AdminContext;
  return { context, calls };
}

/** Answers one after the other; the last one stays. */
function inTurn(...answers: unknown[]): () => unknown {
  return () => (answers.length > 1 ? answers.shift() : answers[0]);
}

const failure = (code: number) => ({ code, operation: 'find groups', message: 'no' });
const group = { groupId: 'g', code: 0, state: 'Empty', protocolType: '', protocol: '', members: [] };
const [leader, isr, replicas] = [1, [1], [1]];
const partitionOf = (partitionId: number) => ({ partitionId, partitionErrorCode: 0, leader, isr, replicas });
const metadata = () => ({
  brokers: [{ nodeId: leader }],
  topics: [{ name: 't', code: 0, partitions: [0, 1].map(partitionOf) }],
});

/** The answer for each partition that is asked for. */
const answered = (asked: unknown, offset: string, codeOfOne: (partition: number) => unknown = () => 0) =>
  (asked as { topic: string; partition: number }[]).map(({ topic, partition }) => ({
    topic,
    partition,
    offset,
    code: codeOfOne(partition),
  }));

describe('a group is looked for again', () => {
  it('while a broker that is asked for its groups, or the group’s own, is loading', async () => {
    const answers = inTurn(failure(LOADING), [{ ...group, code: LOADING }], [group]);
    const { context } = contextOf({ groups: answers, groupState: () => failure(LOADING) });
    expect((await describeGroups(context, ['g'])).groups).toMatchObject([{ groupId: 'g', state: 'Empty' }]);
  });

  it('unless its coordinator says that there is none', async () => {
    const dead = { outcome: { name: 'g', code: codeOf('GROUP_ID_NOT_FOUND'), message: '' }, state: '' };
    const { context, calls } = contextOf({
      groups: () => failure(codeOf('_TIMED_OUT')),
      groupState: () => dead,
      groupOffsets: () => [],
    });
    expect((await describeGroups(context, ['g'])).groups).toMatchObject([{ groupId: 'g', state: 'Dead' }]);
    expect(calls).toEqual(['groups', 'groupState', 'groupOffsets']);
  });

  it('for its state, of which only its coordinator is asked', async () => {
    const known = { outcome: { name: 'g', code: 0, message: '' }, state: 'Stable' };
    const { context, calls } = contextOf({ groupState: inTurn(failure(LOADING), known) });
    expect(await groupState(context, 'g')).toBe('Stable');
    expect(calls).toEqual(['groupState', 'groupState']);
  });
});

describe('a leader that has moved is asked again', () => {
  it('for the ends to which offsets are reset', async () => {
    const codes = inTurn(MOVED, 0);
    const set: unknown[] = [];
    const { context } = contextOf({
      metadata,
      groupState: () => ({ outcome: { name: 'g', code: 0, message: '' }, state: 'Empty' }),
      listOffsets: (asked) => answered(asked, '5', codes),
      setGroupOffsets: (...args: unknown[]) => {
        set.push(...args);
        return [];
      },
    });
    await resetOffsets(context, { groupId: 'g', topic: 't' });
    expect(set).toEqual(['g']);
  });

  it('to delete records: of the partitions alone that failed', async () => {
    const asked: number[][] = [];
    const answers = inTurn(MOVED, 0);
    const { context, calls } = contextOf({
      metadata,
      listOffsets: (entries) => answered(entries, '0'),
      deleteRecords: (entries) => {
        const code = answers();
        const told = answered(entries, '3', (partition) => (partition === 1 ? code : 0));
        asked.push(told.map(({ partition }) => partition));
        return told;
      },
    });
    const partitions = [0, 1].map((number) => ({ partition: number, offset: '3' }));
    await deleteTopicRecords(context, { topic: 't', partitions });
    expect(asked).toEqual([[0, 1], [1]]);
    // The topic's leaders are looked up in between.
    expect(calls.slice(-3)).toEqual(['deleteRecords', 'metadata', 'deleteRecords']);
  });

  it('until it has been asked often enough', async () => {
    const { context } = contextOf({
      metadata,
      listOffsets: (entries) => answered(entries, '0'),
      deleteRecords: () => [{ topic: 't', partition: 0, offset: '3', code: codeOf('_TIMED_OUT') }],
    });
    const partitions = [{ partition: 0, offset: '3' }];
    await expect(deleteTopicRecords(context, { topic: 't', partitions })).rejects.toMatchObject({
      name: 'KafkaJSNumberOfRetriesExceeded',
      cause: {
        name: 'KafkaJSDeleteTopicRecordsError',
        partitions: [{ error: { message: 'partition 0 of topic t: _TIMED_OUT' } }],
      },
    });
  });
});
