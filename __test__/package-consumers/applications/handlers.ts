// An application whose handlers have options of their own: by key, in batches, by header, acknowledged by hand. It ends by itself.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import {
  BatchPattern,
  ClientKafka,
  KafkaBatchContext,
  KafkaContext,
  kafkaHandler,
  ServerKafka,
} from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';

const prefix = process.env['PREFIX'] as string;
const brokers = [process.env['KAFKA_BROKERS'] as string];

const seen = {
  keys: [] as string[],
  batches: [] as string[][],
  batchContext: false,
  created: [] as string[],
  others: [] as string[],
  acks: [] as boolean[],
};
const unacknowledged: KafkaContext[] = [];
let changeOfB: () => void = () => undefined;
const changedB = new Promise<void>((resolve) => {
  changeOfB = resolve;
});
let handled: () => void = () => undefined;
let left = 10;
const allHandled = new Promise<void>((resolve) => {
  handled = () => {
    left -= 1;
    if (left === 0) resolve();
  };
});

@Controller()
class Handlers {
  @EventPattern<string>(`${prefix}.keys`, kafkaHandler({ concurrency: { order: 'key' } }))
  async changed(@Payload() value: string): Promise<void> {
    // Of one partition: this one waits for a message behind it, and for one of another key.
    if (value === 'a1') await changedB;
    seen.keys.push(value);
    if (value === 'b1') changeOfB();
    handled();
  }

  @BatchPattern(`${prefix}.batches`, { maxMessages: 3, maxWait: 30_000 })
  stored(@Payload() values: string[], @Ctx() context: KafkaBatchContext): void {
    seen.batches.push(values);
    seen.batchContext = context instanceof KafkaBatchContext && context.getMessages().length === 3;
    handled();
  }

  @EventPattern<string>(`${prefix}.filters`, kafkaHandler({ headers: { type: 'Created' } }))
  created(@Payload() value: string): void {
    seen.created.push(value);
    handled();
  }

  @EventPattern<string>(`${prefix}.filters`)
  other(@Payload() value: string): void {
    seen.others.push(value);
    handled();
  }

  @EventPattern<string>(`${prefix}.acks`, kafkaHandler({ ack: 'manual' }))
  collected(@Ctx() context: KafkaContext): void {
    unacknowledged.push(context);
    if (unacknowledged.length === 3) {
      const [first, second, third] = unacknowledged as [KafkaContext, KafkaContext, KafkaContext];
      seen.acks = [third.ack(), first.ack(), first.ack(), second.ack()];
    }
    handled();
  }
}

@Module({ controllers: [Handlers] })
class Application {}

const keyed = (key: string, number: number): object => ({ key, value: `${key}${number}` });
const typed = (value: string, type: string): object => ({ value, headers: { type } });

async function main(): Promise<void> {
  const client = new ClientKafka({ client: { brokers, clientId: prefix }, producerOnlyMode: true });
  await client.connect();
  const tell = async (topic: string, ...messages: object[]): Promise<void> => {
    for (const message of messages) await lastValueFrom(client.emit(`${prefix}.${topic}`, message));
  };
  await tell('keys', keyed('a', 1), keyed('a', 2), keyed('b', 1));
  await tell('batches', { value: 'x' }, { value: 'y' }, { value: 'z' });
  await tell('filters', typed('1', 'Created'), typed('2', 'Deleted'), typed('3', 'Created'));
  await tell('acks', { value: '1' }, { value: '2' }, { value: '3' });
  await client.close();

  const app = await NestFactory.createMicroservice(Application, {
    strategy: new ServerKafka({
      client: { brokers, clientId: prefix },
      consumer: { groupId: prefix },
      subscribe: { fromBeginning: true },
    }),
    logger: false,
  });
  await app.listen();
  await allHandled;
  await app.close();
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

void main();
