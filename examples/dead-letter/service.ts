// Retries, and a dead-letter topic for what cannot be handled. In a second terminal:
//
//   node target/examples/emit.js example.payments '{"id":"A1"}' '{"id":"A2","fails":1}' '{"id":"A3","fails":9}'
//
// A1 is handled at once, A2 at its second delivery; A3 is put aside after its third.

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { KafkaContext, KafkaHeaders, ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

interface Payment {
  id: string;
  /** How many deliveries fail. */
  fails?: number;
}

@Controller()
class PaymentsController {
  @EventPattern<string>('example.payments')
  handle(@Payload() payment: Payment, @Ctx() context: KafkaContext) {
    const attempt = context.getDeliveryAttempt();
    if (attempt <= (payment.fails ?? 0)) {
      console.log(`payment ${payment.id}: delivery ${attempt} fails`);
      throw new Error(`the bank refused ${payment.id}`);
    }
    console.log(`payment ${payment.id}: done with delivery ${attempt}`);
  }

  /** Dead letters are ordinary messages, with headers that tell what happened. */
  @EventPattern<string>('example.payments.DLT')
  dead(@Payload() payment: Payment, @Ctx() context: KafkaContext) {
    const headers = context.getMessage().headers ?? {};
    const where = `${headers[KafkaHeaders.DLT_ORIGINAL_TOPIC]} [${headers[KafkaHeaders.DLT_ORIGINAL_PARTITION]}]`;
    console.log(`payment ${payment.id}: dead, from ${where}: ${headers[KafkaHeaders.DLT_EXCEPTION_MESSAGE]}`);
  }
}

@Module({ controllers: [PaymentsController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class PaymentsModule {}

async function main() {
  const app = await NestFactory.createMicroservice(PaymentsModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-payments', brokers },
      consumer: { groupId: 'example-payments' },
      deadLetter: { maxAttempts: 3, backoff: { initialRetryTime: 100 } },
    }),
    logger: ['error'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
