import { expect, it, vi } from 'vitest';
import { GroupJoin, type GroupJoinOptions } from '../../lib/kafkajs/group/join.js';
import { Subscriptions } from '../../lib/kafkajs/group/subscriptions.js';
import { KafkaJSNonRetriableError, type KafkaJSError } from '../../lib/kafkajs/errors/index.js';
import type { NativeConsumer } from '../../lib/native/index.js';

// A rejection that is nobody's fails the run of these tests by itself.

const nothing = (): undefined => undefined;

/** The join of a consumer with one topic, over a native consumer that answers its subscription so. */
async function joining(
  subscribe: () => Promise<unknown>,
): Promise<{ join: GroupJoin; native: NativeConsumer }> {
  const subscriptions = new Subscriptions();
  await subscriptions.add({ topic: 't', fromBeginning: true }, () => Promise.resolve([]));
  const ensured = { missing: [], reasons: [], created: [], existing: [] };
  const native = { ensureTopics: () => Promise.resolve(ensured), subscribe } as unknown as NativeConsumer;
  const join = new GroupJoin({
    settings: { allowAutoTopicCreation: true, requestTimeoutMs: 1000, clientId: 'c' },
    subscriptions,
    membership: { joining: nothing },
    log: { waitsFor: nothing, joining: () => nothing },
    handling: nothing,
    leaderAssignment: undefined,
    assigned: false,
    isCurrent: () => true,
    onEscape: nothing,
  } as unknown as GroupJoinOptions);
  return { join, native };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const failure = { code: -186, operation: 'subscribe', message: 'refused', fatal: false };

it.each<[string, () => Promise<unknown>]>([
  ['is refused', () => Promise.resolve(failure)],
  ['rejects', () => Promise.reject(new Error('refused'))],
])('a subscription that %s rejects the join, and a later end of it is nobody’s', async (_, subscribe) => {
  const { join, native } = await joining(subscribe);
  await expect(join.join(native)).rejects.toThrow('refused');
  join.cancel();
  expect(join.failed(new KafkaJSNonRetriableError('late') as KafkaJSError, native)).toBe(false);
  await turns();
});

it('a refusal that comes before the subscription is accepted rejects the join', async () => {
  const subscribe = vi.fn(() => new Promise<unknown>(nothing));
  const { join, native } = await joining(subscribe);
  const joined = join.join(native);
  await vi.waitFor(() => expect(subscribe).toHaveBeenCalled());
  expect(join.failed(new KafkaJSNonRetriableError('not allowed') as KafkaJSError, native)).toBe(true);
  await expect(joined).rejects.toThrow('not allowed');
  await turns();
});
