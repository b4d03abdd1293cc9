import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { type KafkaContext, kafkaHandler, ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';

export interface Order {
  id: string;
  /** How many deliveries fail. */
  fails?: number;
}

/** Reads orders and sends shipments: a shipment and its order's offset become visible together, or not at all. */
@Controller()
class OrdersController {
  @EventPattern<string>('example.shop.orders', kafkaHandler({ transactional: true }))
  async ship(@Payload() order: Order, @Ctx() context: KafkaContext) {
    const attempt = context.getDeliveryAttempt();
    const shipment = JSON.stringify({ order: order.id, attempt });
    await context.getTransaction().send({ topic: 'example.shop.shipments', messages: [{ value: shipment }] });
    if (attempt <= (order.fails ?? 0)) {
      console.log(`order ${order.id}: attempt ${attempt} is undone`);
      throw new Error('no paper');
    }
    console.log(`order ${order.id}: shipped by attempt ${attempt}`);
  }
}

@Module({ controllers: [OrdersController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class ShopModule {}

export async function startShop() {
  const app = await NestFactory.createMicroservice(ShopModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-shop', brokers },
      consumer: { groupId: 'example-shop' },
      transactions: { idPrefix: 'example-shop' },
      // Handlers are fast: what a killed process leaves open holds readers up for no longer than this.
      producer: { transactionTimeout: 10_000 },
      deadLetter: { maxAttempts: 3, backoff: { initialRetryTime: 100 } },
    }),
    logger: false,
  });
  await app.listen();
  return app;
}
