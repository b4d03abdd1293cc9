// An event handler. In a second terminal:
//
//   node target/examples/emit.js example.basic.orders '{"id":"A1"}'

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, KafkaContext, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

@Controller()
class OrdersController {
  @EventPattern<string>('example.basic.orders')
  placed(@Payload() order: { id: string }, @Ctx() context: KafkaContext) {
    const { offset } = context.getMessage();
    console.log(`order ${order.id}: partition ${context.getPartition()}, offset ${offset}`);
  }
}

@Module({ controllers: [OrdersController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class ServiceModule {}

async function main() {
  const app = await NestFactory.createMicroservice(ServiceModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-basic', brokers },
      consumer: { groupId: 'example-basic' },
    }),
    logger: ['error', 'warn'],
  });
  // SIGTERM and Ctrl-C: running handlers finish, offsets are committed, the group is left.
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
