// The service that asks: it handles orders, and asks prices.ts what each item costs. With both running:
//
//   node target/examples/emit.js example.orders '{"id":"A1","items":["apple","pear"]}'

import { Controller, Inject, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, EventPattern, Payload } from '@nestjs/microservices';
import { ClientKafka, ServerKafka, type NestKafkaOptions } from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { brokers } from '../kafka.js';

const kafka: NestKafkaOptions = {
  client: { clientId: 'example-orders', brokers },
  consumer: { groupId: 'example-orders' },
};

/** The client: a request without a reply for five seconds errors with a KafkaReplyTimeoutError. */
const pricesClient = { name: 'PRICES', customClass: ClientKafka, options: { ...kafka, replyTimeout: 5000 } };

@Controller()
class OrdersController implements OnModuleInit {
  constructor(@Inject('PRICES') private readonly prices: ClientKafka) {}

  async onModuleInit() {
    this.prices.subscribeToResponseOf('example.price'); // before connect()
    await this.prices.connect();
  }

  @EventPattern<string>('example.orders')
  async placed(@Payload() order: { id: string; items: string[] }) {
    try {
      // All requests are on their way at once.
      const replies = await Promise.all(order.items.map((item) => this.ask(item)));
      const cents = replies.reduce((sum, reply) => sum + reply.cents, 0);
      console.log(`order ${order.id}: ${(cents / 100).toFixed(2)}`);
    } catch (error) {
      console.log(`order ${order.id} is refused: ${(error as Error).message}`);
    }
  }

  private ask(item: string): Promise<{ cents: number }> {
    return lastValueFrom(this.prices.send('example.price', { item }));
  }
}

@Module({ imports: [ClientsModule.register([pricesClient])], controllers: [OrdersController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class OrdersModule {}

async function main() {
  const app = await NestFactory.createMicroservice(OrdersModule, {
    strategy: new ServerKafka(kafka),
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}

void main();
