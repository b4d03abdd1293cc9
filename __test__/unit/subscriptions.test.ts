import { describe, expect, test } from 'vitest';
import { Subscriptions } from '../../lib/kafkajs/group/subscriptions';

const start = (topic: string, partition: number, offset: string) => ({ topic, partition, offset });
const none = (): Promise<string[]> => Promise.resolve([]);

describe('starts that an earlier connection could not commit', () => {
  test('are for the next connection, once', () => {
    const subscriptions = new Subscriptions();
    expect(subscriptions.takeStarts()).toEqual([]);
    subscriptions.noteStarts([start('a', 0, '3')]);
    subscriptions.noteStarts([]);
    subscriptions.noteStarts([start('b', 1, '9007199254740993')]);
    expect(subscriptions.takeStarts()).toEqual([start('a', 0, '3'), start('b', 1, '9007199254740993')]);
    expect(subscriptions.takeStarts()).toEqual([]);
  });

  test('are forgotten where the application subscribes to the topic anew', async () => {
    const subscriptions = new Subscriptions();
    subscriptions.noteStarts([start('a', 0, '3'), start('b', 0, '4')]);
    await subscriptions.add({ topic: 'a', fromBeginning: true }, none);
    expect(subscriptions.takeStarts()).toEqual([start('b', 0, '4')]);
    subscriptions.noteStarts([start('a', 0, '3'), start('b', 0, '4')]);
    await subscriptions.add({ topics: [/^b/] }, () => Promise.resolve(['b']));
    expect(subscriptions.takeStarts()).toEqual([start('a', 0, '3')]);
  });
});
