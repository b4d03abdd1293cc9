import { describe, expect, it } from 'vitest';
import type { AdminContext } from '../../lib/kafkajs/admin/context.js';
import { describeGroups, groupState } from '../../lib/kafkajs/admin/groups.js';
import { codeOf } from '../../lib/kafkajs/errors/codes.js';
import { resolveRetry } from '../../lib/kafkajs/retry/retry.js';

// Which answers of the core are asked for again. What brokers answer is in the tests of the admin client.

type Answers = Record<string, (argument: unknown) => unknown>;

const LOADING = codeOf('GROUP_LOAD_IN_PROGRESS');

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
  } as unknown as AdminContext;
  return { context, calls };
}

/** Answers one after the other; the last one stays. */
function inTurn(...answers: unknown[]): () => unknown {
  return () => (answers.length > 1 ? answers.shift() : answers[0]);
}

const failure = (code: number) => ({ code, operation: 'find groups', message: 'no' });
const group = { groupId: 'g', code: 0, state: 'Empty', protocolType: '', protocol: '', members: [] };
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
