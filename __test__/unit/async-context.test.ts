import { AsyncLocalStorage, executionAsyncId } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { MessageContext } from '../../lib/application/async-context.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

// One test, in this order: a process that has once entered a storage follows its contexts for good.
test('a message takes over the context of the one before it until something is entered', async () => {
  const storage = new AsyncLocalStorage<number>();
  const found: (number | undefined)[] = [];
  const contexts = new Set<MessageContext>();
  let context = new MessageContext();

  const handle = async (message: number, entered: boolean, waits: boolean): Promise<void> => {
    found.push(storage.getStore());
    if (entered) storage.enterWith(message);
    if (waits) await turn();
    if (entered) expect(storage.getStore()).toBe(message);
  };
  const deliver = async (message: number, entered: boolean, waits = false): Promise<void> => {
    context = context.next();
    contexts.add(context);
    await context.begin(handle, message, entered, waits);
    context.answered();
  };

  await turn();
  expect(executionAsyncId(), 'nothing follows the contexts of this process yet').toBe(0);
  for (const message of [1, 2, 3]) await deliver(message, false, message === 2);
  expect(contexts.size).toBe(1);

  await deliver(4, true);
  await deliver(5, false, true);
  await deliver(6, true, true);
  await deliver(7, false);
  expect(found).toEqual(Array.from({ length: 7 }, () => undefined));

  await deliver(8, true);
  const follows = (): number | undefined => storage.getStore();
  expect(
    context.proceed(follows, undefined, 0, 0, 0, 0),
    'what follows a handler finds what it entered',
  ).toBe(8);
});

test('a handler that has thrown or returned without a wait leaves its context behind', () => {
  const context = new MessageContext();
  context.begin(() => undefined, 0, 0, 0);
  expect(context.next()).not.toBe(context);
  expect(() =>
    new MessageContext().begin(
      () => {
        throw new Error('thrown');
      },
      0,
      0,
      0,
    ),
  ).toThrow('thrown');
});
