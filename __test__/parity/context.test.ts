import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, KafkaContext, MessagePattern, Payload } from '@nestjs/microservices';
import { describe, expect } from 'vitest';
import type { Side } from '../harness/side';
import { scenario, world } from '../harness/world';

const CONSUMER = [
  'connect',
  'disconnect',
  'subscribe',
  'stop',
  'run',
  'commitOffsets',
  'seek',
  'describeGroup',
];
const MORE_OF_CONSUMER = ['pause', 'paused', 'resume', 'on', 'logger'];
const PRODUCER = ['connect', 'disconnect', 'isIdempotent', 'on', 'send', 'sendBatch', 'logger'];

function methods(value: unknown, names: string[]): unknown {
  const found = names.map((name) => [name, typeof (value as Record<string, unknown>)[name]]);
  return Object.fromEntries(found);
}

function shape(value: object): unknown {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, typeof field]));
}

async function describeContext(data: unknown, context: KafkaContext): Promise<unknown> {
  const message = context.getMessage() as unknown as Record<string, unknown>;
  const { topic, partition, offset, key, value, headers, timestamp, attributes } = message;
  const consumer = context.getConsumer();
  const producer = context.getProducer();
  const heartbeat = context.getHeartbeat();
  return {
    data,
    isContext: context instanceof KafkaContext,
    args: context.getArgs().length,
    byIndex: [context.getArgByIndex(1), context.getArgByIndex(2)],
    message: { topic, partition, offset, key, value, headers },
    types: [typeof timestamp, typeof attributes],
    recent: Math.abs(Date.now() - Number(timestamp)) < 600_000,
    partition: context.getPartition(),
    topic: context.getTopic(),
    heartbeat: await Promise.all([heartbeat(), heartbeat()]),
    consumer: methods(consumer, [...CONSUMER, ...MORE_OF_CONSUMER]),
    events: shape(consumer.events),
    paused: consumer.paused(),
    producer: methods(producer, PRODUCER),
    producerEvents: shape(producer.events),
    written: await written(context),
  };
}

/** What a handler gets when it writes through its context's producer. */
async function written(context: KafkaContext): Promise<unknown> {
  const topic = context.getTopic().replace(/(event|message)$/, 'log');
  const [{ topicName, partition, errorCode } = {}] = await context
    .getProducer()
    .send({ topic, messages: [{ key: 'from', value: context.getTopic(), headers: { a: 'b' } }] });
  return { topicName, partition, errorCode };
}

function controllers(side: Side): Type[] {
  @Controller()
  class Contexts {
    @EventPattern<string>(side.topic('event'))
    async event(@Payload() data: unknown, @Ctx() context: KafkaContext): Promise<void> {
      side.see('event', await describeContext(data, context));
    }

    @MessagePattern(side.topic('message'))
    async message(@Payload('id') id: unknown, @Ctx() context: KafkaContext): Promise<string> {
      const { headers, ...seen } = (await describeContext(id, context)) as Record<string, unknown>;
      const { message } = seen as { message: { headers: Record<string, unknown> } };
      message.headers['kafka_correlationId'] = typeof message.headers['kafka_correlationId'];
      side.see('message', { headers, ...seen });
      return 'done';
    }
  }
  return [Contexts];
}

const all = world({
  topics: { event: 3, message: 1, log: 1 },
  replies: ['message'],
  controllers,
});

describe('C1 context', () => {
  scenario(
    all,
    'of an event: message, partition, topic, consumer, heartbeat, producer',
    async (side) => {
      await side.emit('event', { key: 'hero', value: { id: 1 }, headers: { realm: 'Nest' } });
      return { seen: await side.take('event', 1), log: await side.records('log') };
    },
    (picture) => {
      expect(picture).toMatchObject({
        seen: [
          {
            data: { id: 1 },
            isContext: true,
            message: {
              topic: 'event',
              offset: '0',
              key: 'hero',
              value: { id: 1 },
              headers: { realm: 'Nest' },
            },
            types: ['string', 'number'],
            recent: true,
            topic: 'event',
            consumer: { commitOffsets: 'function', seek: 'function', pause: 'function', on: 'function' },
            producer: { send: 'function' },
            written: { topicName: 'log', partition: 0, errorCode: 0 },
          },
        ],
        log: [{ key: 'from', value: 'event', headers: [['a', 'b']] }],
      });
    },
  );

  scenario(
    all,
    'of a request, with a property of the payload',
    async (side) => ({ reply: await side.send('message', { id: 7 }), seen: await side.take('message', 1) }),
    (picture) => {
      expect(picture).toMatchObject({
        reply: { values: ['done'] },
        seen: [
          { data: 7, message: { headers: { kafka_replyTopic: 'message.reply', kafka_replyPartition: '0' } } },
        ],
      });
    },
  );
});
