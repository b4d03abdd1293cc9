import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { BatchPattern, kafkaHandler, type KafkaContext, type KafkaHandlerOptions } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';
import { createTopics, endOffsets, rawProducer, topicExists, untilCommitted } from '../harness/broker';
import { until } from '../harness/wait';
import { RetryRig } from './rig';

// Handlers of a server with retry topics whose messages are put aside without them.

const rig = new RetryRig('opting-out');

const plain = (options: KafkaHandlerOptions = {}): KafkaHandlerOptions => ({
  ...options,
  deadLetter: { retryTopics: false, maxAttempts: 2 },
});

test('have dead letters alone, also where retry topics could not be', async () => {
  const names = ['single', 'batch', 'manual', 'transactional', 'retried'];
  const topic = (name: string): string => `${rig.topic}.${name}`;
  await createTopics(
    Object.fromEntries(
      names.flatMap((name) => [
        [topic(name), 1],
        [`${topic(name)}.DLT`, 1],
      ]),
    ),
  );
  const seen: Record<string, number[]> = {};
  const failing = (name: string, context: Pick<KafkaContext, 'getDeliveryAttempt'>): never => {
    (seen[name] ??= []).push(context.getDeliveryAttempt());
    throw new Error('never');
  };
  @Controller()
  class Events {
    @EventPattern<string>(topic('single'), kafkaHandler(plain()))
    single(@Payload() _: string, @Ctx() context: KafkaContext): void {
      failing('single', context);
    }

    @BatchPattern(topic('batch'), {}, plain())
    batch(@Payload() _: string[], @Ctx() context: KafkaContext): void {
      failing('batch', context);
    }

    @EventPattern<string>(topic('manual'), kafkaHandler(plain({ ack: 'manual' })))
    manual(@Payload() _: string, @Ctx() context: KafkaContext): void {
      failing('manual', context);
    }

    @EventPattern<string>(topic('transactional'), kafkaHandler(plain({ transactional: true })))
    transactional(@Payload() _: string, @Ctx() context: KafkaContext): void {
      failing('transactional', context);
    }

    @EventPattern<string>(topic('retried'))
    retried(@Payload() _: string, @Ctx() context: KafkaContext): void {
      failing('retried', context);
    }
  }
  await rig.retrying(
    [Events],
    [100],
    {},
    {
      transactions: { idPrefix: rig.topic },
      consumer: { retry: { initialRetryTime: 20, maxRetryTime: 50 } },
    },
  );
  for (const name of names)
    await (await rawProducer()).send({ topic: topic(name), messages: [{ value: name }] });
  const putAside = async (name: string): Promise<boolean> =>
    ((await endOffsets(`${topic(name)}.DLT`))[0] ?? 0) > 0;
  for (const name of names) {
    await until(`${name} has been put aside`, () => putAside(name));
    if (name !== 'transactional') await untilCommitted(rig.group, topic(name), 1);
    expect([name, seen[name]]).toEqual([name, [1, 2]]);
    expect(await topicExists(rig.retry(100, topic(name)))).toBe(name === 'retried');
  }
});
