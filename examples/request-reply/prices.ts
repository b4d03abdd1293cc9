// The service that answers: what a fruit costs. orders.ts asks it.

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

const CENTS: Record<string, number> = { apple: 50, pear: 80 };

@Controller()
class PricesController {
  /** What is returned is the reply; what is thrown is the client's error. */
  @MessagePattern('example.price')
  price(@Payload() { item }: { item: string }) {
    const cents = CENTS[item];
    if (cents === undefined) throw new RpcException(`no price for ${item}`);
    return { item, cents };
  }
}

@Module({ controllers: [PricesController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class PricesModule {}

async function main() {
  const app = await NestFactory.createMicroservice(PricesModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-prices', brokers },
      consumer: { groupId: 'example-prices' },
    }),
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
