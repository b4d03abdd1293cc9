// Reads orders and writes invoices; the invoice and the order's offset become visible together or not at all. audit.ts shows the
// invoices. In another terminal:
//
//   node target/examples/emit.js example.billing.orders '{"id":"A1"}' '{"id":"A2","fails":true}'
//
// The first attempt at A2 fails after its invoice was written: that invoice is never seen, the second attempt's is.

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { KafkaContext, ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

const GROUP = 'example-billing';

@Controller()
class BillingController {
  @EventPattern<string>('example.billing.orders')
  async bill(@Payload() order: { id: string; fails?: boolean }, @Ctx() context: KafkaContext) {
    const { offset } = context.getMessage();
    const attempt = context.getDeliveryAttempt();
    const transaction = await context.getProducer().transaction();
    try {
      const invoice = { order: order.id, attempt };
      await transaction.send({
        topic: 'example.billing.invoices',
        messages: [{ value: JSON.stringify(invoice) }],
      });
      if (order.fails && attempt === 1) throw new Error('no paper');
      const next = String(BigInt(offset) + 1n);
      await transaction.sendOffsets({
        consumerGroupId: `${GROUP}-server`, // NestJS appends -server to the group of a server
        topics: [
          { topic: context.getTopic(), partitions: [{ partition: context.getPartition(), offset: next }] },
        ],
      });
      await transaction.commit();
      console.log(`order ${order.id}: billed by attempt ${attempt}`);
    } catch (error) {
      await transaction.abort();
      console.log(`order ${order.id}: attempt ${attempt} is undone`);
      throw error; // the order comes again
    }
  }
}

@Module({ controllers: [BillingController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class BillingModule {}

async function main() {
  const app = await NestFactory.createMicroservice(BillingModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-billing', brokers },
      consumer: { groupId: GROUP },
      producer: { transactionalId: 'example-billing-1', idempotent: true, maxInFlightRequests: 1 },
      // The transaction commits, and a producer has one at a time.
      run: { autoCommit: false, partitionsConsumedConcurrently: 1 },
    }),
    logger: false,
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
