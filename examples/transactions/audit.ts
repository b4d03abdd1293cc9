// Shows the invoices that service.ts wrote. Consumers see only committed ones, unless they ask for readUncommitted.

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

@Controller()
class InvoicesController {
  @EventPattern<string>('example.billing.invoices')
  see(@Payload() invoice: { order: string; attempt: number }) {
    console.log(`invoice for order ${invoice.order}, by attempt ${invoice.attempt}`);
  }
}

@Module({ controllers: [InvoicesController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class AuditModule {}

async function main() {
  const app = await NestFactory.createMicroservice(AuditModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-audit', brokers },
      consumer: { groupId: 'example-audit' },
    }),
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
