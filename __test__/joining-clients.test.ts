import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen, optionsFor, type RunningServer } from './harness/apps';
import { closeBroker, createTopics, unique } from './harness/broker';
import { outcome } from './harness/outcome';

const topic = unique('joining');
let server: RunningServer;

@Controller()
class Echo {
  @MessagePattern(topic)
  echo(@Payload() data: unknown): unknown {
    return data;
  }
}

beforeAll(async () => {
  await createTopics({ [topic]: 1, [`${topic}.reply`]: 3 });
  const options = { ...optionsFor(topic), subscribe: { fromBeginning: true } };
  server = await listen(new ServerKafka(options), [Echo]);
});

afterAll(async () => {
  await server?.close();
  await closeBroker();
});

async function connected(group: string): Promise<ClientKafka> {
  // A heartbeat tells a member of a rebalance: often, so that the group settles soon.
  const client = new ClientKafka(optionsFor(group, { consumer: { groupId: group, heartbeatInterval: 200 } }));
  client.subscribeToResponseOf(topic);
  await client.connect();
  return client;
}

describe('A2 clients that join a group', () => {
  // The first client has read nothing yet when its partition is taken and given back: where it reads on
  // must be where it began to, not wherever the end of the partition is by then.
  test.each([1, 2, 3, 4, 5])('both get the replies to what they send at once (round %i)', async () => {
    const group = unique('joining');
    const clients = [await connected(group), await connected(group)];
    try {
      const answers = clients.map((client, index) => outcome(client.send(topic, { index }), 10_000));
      expect(await Promise.all(answers)).toEqual([
        { values: [{ index: 0 }], ended: 'completed' },
        { values: [{ index: 1 }], ended: 'completed' },
      ]);
      expect(clients.map((client) => client.getConsumerAssignments()[`${topic}.reply`])).toEqual([0, 1]);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  });

  test('requests go on being answered while others come and go', async () => {
    const group = unique('joining');
    const first = await connected(group);
    const stop = new AbortController();
    let sent = 0;
    const failed: unknown[] = [];
    const sending = (async () => {
      while (!stop.signal.aborted) {
        const answer = await outcome(first.send(topic, { sent }), 10_000);
        if (answer.ended !== 'completed') failed.push(answer);
        sent += 1;
      }
    })();
    for (let round = 0; round < 2; round += 1) {
      const other = await connected(group);
      expect((await outcome(other.send(topic, 'other'))).ended).toBe('completed');
      await other.close();
    }
    stop.abort();
    await sending;
    await first.close();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(0);
  });
});
