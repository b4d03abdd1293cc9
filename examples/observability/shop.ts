// The application: an HTTP server that takes orders, and a Kafka server that handles them and answers what things cost.

import { EventEmitter } from 'node:events';
import { Body, Controller, Get, Header, Inject, Module, Post, type OnModuleInit } from '@nestjs/common';
import {
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
} from '@nestjs/microservices';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { trace } from '@opentelemetry/api';
import { ClientKafka, KafkaContext, type NestKafkaOptions } from 'nestjs-kafka-native';
import { registerKafkaMetrics } from 'nestjs-kafka-native/prometheus';
import { KafkaHealthIndicator } from 'nestjs-kafka-native/terminus';
import { register } from 'prom-client';
import { lastValueFrom } from 'rxjs';
import { kafka } from './kafka.js';

registerKafkaMetrics(register);

/** Emits the id of each order that is done. */
export const done = new EventEmitter();

interface Order {
  id: string;
  item: string;
}

@Controller('orders')
class OrdersController implements OnModuleInit {
  constructor(@Inject('KAFKA') private readonly client: ClientKafka) {}

  async onModuleInit() {
    this.client.subscribeToResponseOf('example.shop.price');
    await this.client.connect();
  }

  /** @opentelemetry/instrumentation-http makes such a span of each request; here it is made by hand. */
  @Post()
  order(@Body() order: Order) {
    return trace.getTracer('shop').startActiveSpan('POST /orders', async (span) => {
      try {
        await lastValueFrom(this.client.emit('example.shop.orders', { key: order.id, value: order }));
      } finally {
        span.end();
      }
    });
  }

  /** The first delivery fails, as things do: the second one is a span of its own. */
  @EventPattern<string>('example.shop.orders')
  async placed(@Payload() order: Order, @Ctx() context: KafkaContext) {
    const price = await lastValueFrom(this.client.send<number>('example.shop.price', order.item));
    if (context.getDeliveryAttempt() === 1) throw new RpcException('the bank does not answer');
    console.log(`order ${order.id}: ${price} cents`);
    done.emit(order.id);
  }

  @MessagePattern('example.shop.price')
  price(@Payload() item: string) {
    return item === 'apple' ? 50 : 80;
  }
}

@Controller()
class OperatorsController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly kafkaHealth: KafkaHealthIndicator,
  ) {}

  @Get('metrics')
  @Header('content-type', register.contentType)
  metrics() {
    return register.metrics();
  }

  @Get('health')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.kafkaHealth.isHealthy('kafka', { probe: 'readiness' })]);
  }
}

/** How both the server and the client reach Kafka. */
export const kafkaOptions: NestKafkaOptions = {
  client: { clientId: 'shop', brokers: kafka.brokers },
  consumer: { groupId: 'example-shop', ...kafka.consumerOptions },
  subscribe: { fromBeginning: true },
};

const kafkaClient = { name: 'KAFKA', customClass: ClientKafka, options: kafkaOptions };

@Module({
  imports: [ClientsModule.register([kafkaClient]), TerminusModule],
  controllers: [OrdersController, OperatorsController],
  providers: [KafkaHealthIndicator],
})
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
export class ShopModule {}
