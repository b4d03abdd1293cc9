import { EventEmitter } from 'node:events';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';
import { brokers } from '../kafka.js';
import type { Order } from './shop.js';

/** Emits the id of each order that has arrived somewhere. */
export const arrived = new EventEmitter();

/** Sees what is committed, as all readers do unless they ask for `readUncommitted`. */
@Controller()
class WarehouseController {
  @EventPattern<string>('example.shop.shipments')
  see(@Payload() shipment: { order: string; attempt: number }) {
    console.log(`shipment of order ${shipment.order}, by attempt ${shipment.attempt}`);
    arrived.emit(shipment.order);
  }

  @EventPattern<string>('example.shop.orders.DLT')
  dead(@Payload() order: Order) {
    console.log(`order ${order.id}: put aside`);
    arrived.emit(order.id);
  }
}

@Module({ controllers: [WarehouseController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class WarehouseModule {}

export async function startWarehouse() {
  const app = await NestFactory.createMicroservice(WarehouseModule, {
    strategy: new ServerKafka({
      client: { clientId: 'example-warehouse', brokers },
      consumer: { groupId: 'example-warehouse' },
    }),
    logger: false,
  });
  await app.listen();
  return app;
}
