import { AsyncLocalStorage, executionAsyncId, executionAsyncResource } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { MessageContext } from '../../lib/application/async-context.js';
import { EmptyContexts } from '../../lib/application/empty-contexts.js';

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
  const reply = (message: number, entered: boolean): void => {
    found.push(storage.getStore());
    if (entered) storage.enterWith(message);
  };
  const request = async (message: number, entered: boolean): Promise<void> => {
    await deliver(message, false);
    context.proceed(reply, undefined, message, entered, undefined, undefined);
  };
  const empty = new EmptyContexts();
  const isolated = new Set<object>();
  const callBack = (message: number, entered = false): void =>
    empty.run((told) => {
      isolated.add(executionAsyncResource());
      reply(told, entered);
    }, message);

  await turn();
  expect(executionAsyncId(), 'nothing follows the contexts of this process yet').toBe(0);
  for (const message of [1, 2, 3]) await deliver(message, false, message === 2);
  expect(contexts.size).toBe(1);
  for (const message of [1, 2, 3, 4]) await request(message, false);
  expect(contexts.size, 'what follows a handler may have entered something until the next has answered').toBe(
    2,
  );
  for (let batch = 0; batch < 3; batch++) {
    for (const message of [1, 2, 3]) callBack(message);
    await turn();
  }
  // From Node.js 24 on nobody can tell, and nothing is used again.
  expect(isolated.size).toBe(empty.unlessEmpty() ? 9 : 3);
  expect(found.filter((store) => store !== undefined)).toEqual([]);
  found.length = 0;

  callBack(1, true);
  callBack(2);
  await turn();
  expect(empty.unlessEmpty(), 'contexts are followed from now on').toBeDefined();
  for (const message of [3, 4]) callBack(message);
  storage.run(0, () => {
    for (const message of [1, 2, 3, 4, 5]) callBack(message);
  });
  await request(5, true);
  await request(6, false);
  await request(7, true);
  await deliver(8, false);
  expect(found.filter((store) => store !== undefined)).toEqual([]);
  found.length = 0;

  await deliver(4, true);
  await deliver(5, false, true);
  await deliver(6, true, true);
  await deliver(7, false);
  expect(found).toEqual(Array.from({ length: 4 }, () => undefined));

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
