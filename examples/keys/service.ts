// Messages of different keys at once, those of one key in their order: for handlers that wait for others. In a second terminal:
//
//   node target/examples/emit.js example.accounts '{"key":"A","step":1,"ms":900}' '{"key":"A","step":2}' '{"key":"B","step":1}'
//
// B does not wait for A, also where both are in one partition; A's second step waits for its first.

import { setTimeout as later } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { kafkaHandler, ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

interface Change {
  key: string;
  step: number;
  /** How long it takes, in milliseconds. */
  ms?: number;
}

@Controller()
class AccountsController {
  @EventPattern('example.accounts', kafkaHandler({ concurrency: { order: 'key', max: 16 } }))
  async changed(@Payload() { key, step, ms = 0 }: Change) {
    console.log(`account ${key}: step ${step} begins`);
    await later(ms); // a database, or another service
    console.log(`account ${key}: step ${step} is done`);
  }
}

@Module({ controllers: [AccountsController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class AccountsModule {}

async function main() {
  const app = await NestFactory.createMicroservice(AccountsModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-accounts', brokers },
      consumer: { groupId: 'example-accounts' },
    }),
    logger: ['error'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
