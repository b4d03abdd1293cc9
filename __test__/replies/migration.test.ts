import type { ClientKafka } from '@nestjs/microservices';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { optionsFor, startClient } from '../harness/apps';
import { closeBroker, createTopics, unique } from '../harness/broker';
import { outcome } from '../harness/outcome';
import type { Kind } from '../harness/transports';
import { until } from '../harness/wait';
import { echo } from './echo';
import { Fleet } from './fleet';
import { expectNothingLost, expectServersMigrated, migrateClients, migrateServers } from './migration';

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(closeBroker);

describe('A3 a group of both kinds', () => {
  // The full migrations, with clients in processes of their own, are in __test__/long.
  test('servers of one kind are replaced by the other, under load', async () => {
    const fleet = await Fleet.create(2);
    try {
      const seen = await migrateServers(fleet, { from: 'stock', to: 'native', instances: 2, requests: 200 });
      expectServersMigrated('servers: stock → native', seen);
    } finally {
      await fleet.dispose();
    }
  });

  test.each([
    { from: 'stock', to: 'native' },
    { from: 'native', to: 'stock' },
  ] as const)('clients: $from by $to, in the order in which nobody loses a reply', async ({ from, to }) => {
    const fleet = await Fleet.create(3);
    try {
      const migration = { from, to, instances: 2, requests: 100 };
      const seen = await migrateClients(fleet, migration, { inOrder: true });
      expectNothingLost(`clients in order: ${from} → ${to}`, seen);
    } finally {
      await fleet.dispose();
    }
  });

  const orders: Kind[][] = [
    ['native', 'stock'],
    ['stock', 'native'],
    ['native', 'stock', 'native', 'stock'],
    ['stock', 'native', 'stock', 'native'],
  ];
  // The first one leads as long as it is there.
  test.each(orders.map((kinds) => ({ kinds })))('clients: $kinds', async ({ kinds }) => {
    const topic = unique('mixed');
    const replyTopic = `${topic}.reply`;
    await createTopics({ [topic]: 1, [replyTopic]: 5 });
    open.push(await echo(topic));
    const clients: ClientKafka[] = [];
    for (const kind of kinds) {
      const options = optionsFor(topic, { consumer: { groupId: topic, heartbeatInterval: 200 } });
      const client = await startClient(kind, [topic], options);
      open.push(client);
      clients.push(client);
      await until('it has a reply partition', () => replyTopic in client.getConsumerAssignments());
      for (const each of clients) {
        expect(await outcome(each.send(topic, kind))).toEqual({ values: [kind], ended: 'completed' });
      }
    }
    const partitions = clients.map((client) => client.getConsumerAssignments()[replyTopic]);
    expect(new Set(partitions).size).toBe(kinds.length);
  });
});
