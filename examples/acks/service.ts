// Messages that count when something else is done, and one that is to come again later. In a second terminal:
//
//   node target/examples/emit.js example.transfers '{"id":1}' '{"id":2,"busy":true}' '{"id":3}'
//
// The handler only collects; transfers are acknowledged when three of them are written. A busy one comes again first.
// Stop the service while some are collected: they come again when it starts.

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { kafkaHandler, ServerKafka, type KafkaContext } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

const AT_ONCE = 3;

interface Transfer {
  id: string;
  /** Its account is busy at its first delivery. */
  busy?: boolean;
}

@Controller()
class TransfersController {
  private pending: { transfer: Transfer; context: KafkaContext }[] = [];

  @EventPattern<string>('example.transfers', kafkaHandler({ ack: 'manual' }))
  collect(@Payload() transfer: Transfer, @Ctx() context: KafkaContext) {
    if (transfer.busy && context.getDeliveryAttempt() === 1) {
      // No error: it comes again, and its partition waits for it.
      context.nack({ delay: 100 });
      console.log(`transfer ${transfer.id} comes again`);
      return;
    }
    this.pending.push({ transfer, context });
    console.log(`transfer ${transfer.id} is collected`);
    if (this.pending.length === AT_ONCE) this.write();
  }

  private write() {
    const written = this.pending.splice(0);
    console.log(`written: ${written.map(({ transfer }) => transfer.id).join(' ')}`);
    for (const { context } of written) context.ack();
  }
}

@Module({ controllers: [TransfersController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class TransfersModule {}

async function main() {
  const app = await NestFactory.createMicroservice(TransfersModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-transfers', brokers },
      // What is only collected is given up at the end without waiting for it.
      consumer: { groupId: 'example-transfers', drainTimeout: 100 },
    }),
    logger: ['error'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
