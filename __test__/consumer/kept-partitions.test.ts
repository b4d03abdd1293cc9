// A rebalance in which a member keeps some of its partitions: those are read on, however long the others take.

import * as native from 'nestjs-kafka-native';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { closeBroker, unique, untilCommitted } from '../harness/broker';
import { Gate, openGates, until, within } from '../harness/wait';
import { kafkaOf, produce, topicOf } from './pair';

afterEach(openGates);
afterAll(closeBroker);

const protocols: [string, Partial<native.ConsumerConfig>][] = [
  [
    'the cooperative protocol',
    { partitionAssigners: [native.PartitionAssigners.cooperativeSticky], heartbeatInterval: 200 },
  ],
  ['the protocol of KIP-848', { groupProtocol: 'consumer' }],
];

describe.each(protocols)('with %s', (_, options) => {
  test('what a member keeps is read on while a handler of what it gives up runs', async () => {
    const kept = await topicOf(1, 1, 'kept');
    const moved = await topicOf(1, 1, 'moved');
    const groupId = unique('group');
    const kafka = kafkaOf('native') as unknown as native.Kafka;
    const [first, second] = [0, 1].map(() =>
      kafka.consumer({ groupId, maxWaitTimeInMs: 100, ...options }),
    ) as [native.Consumer, native.Consumer];
    const gate = new Gate();
    const seen: string[] = [];
    let started = false;
    try {
      await first.connect();
      await first.subscribe({ topics: [kept, moved], fromBeginning: true });
      await first.run({
        partitionsConsumedConcurrently: 2,
        eachMessage: async ({ topic, message }) => {
          if (topic === moved) {
            started = true;
            await gate.pass();
          }
          seen.push(`first ${topic === kept ? 'kept' : 'moved'} ${message.offset}`);
        },
      });
      await until('the handlers have begun', () => started && seen.length === 1);

      const rebalancing = new Promise((resolve) => {
        const off = first.on(first.events.REBALANCING, () => {
          off();
          resolve(undefined);
        });
      });
      await second.connect();
      // The first one keeps the other topic, as nobody else subscribes to it.
      await second.subscribe({ topics: [moved], fromBeginning: true });
      const running = second.run({
        eachMessage: ({ message }) => {
          seen.push(`second moved ${message.offset}`);
          return Promise.resolve();
        },
      });
      await within('the revocation', rebalancing);
      await produce(kept, 20, 1);
      await produce(moved, 1, 1);
      await until('what it keeps is read on', () => seen.length === 21, 10_000);
      expect(seen).toEqual(Array.from({ length: 21 }, (__, offset) => `first kept ${offset}`));

      gate.open();
      await running;
      await until('the other one goes on', () => seen.includes('second moved 1'));
      await produce(kept, 1, 21);
      await untilCommitted(groupId, kept, 22);
      await untilCommitted(groupId, moved, 2);
      const kepts = Array.from({ length: 22 }, (__, offset) => `first kept ${offset}`);
      expect(seen.toSorted()).toEqual([...kepts, 'first moved 0', 'second moved 1'].toSorted());
    } finally {
      gate.open();
      await first.disconnect();
      await second.disconnect();
    }
  });
});
