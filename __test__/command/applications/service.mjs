// A service in plain JavaScript, in the ways that the command's tests want it: MODE says with which classes, PREFIX what its names begin with.
import { connect } from 'node:net';
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientKafka as StockClient,
  EventPattern,
  MessagePattern,
  ServerKafka as StockServer,
  Transport,
} from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { PartitionAssigners } from 'nestjs-kafka-native/kafka';

const prefix = process.env.PREFIX ?? 'service';
const isStock = process.env.MODE === 'stock';
/** More options, as JSON. */
const more = JSON.parse(process.env.OPTIONS ?? '{}');

/** The brokers, and whatever of `client` the test gives. */
const client = { clientId: prefix, brokers: process.env.KAFKA_BROKERS.split(','), ...more.client };
if (process.env.ANY_HOST) client.ssl.checkServerIdentity = () => undefined;
if (process.env.SOCKET_FACTORY) client.socketFactory = () => connect(9092);
if (process.env.COOPERATIVE)
  more.ofServer = {
    consumer: { groupId: prefix, partitionAssigners: [PartitionAssigners.cooperativeSticky] },
  };
/** Options of the handler of events. */
const ofHandler = more.ofHandler && [{ kafka: more.ofHandler }];

class OrdersController {
  placed() {
    console.log('handled');
  }

  price() {
    return 1;
  }
}

const decorate = (decorator, method) =>
  decorator(
    OrdersController.prototype,
    method,
    Object.getOwnPropertyDescriptor(OrdersController.prototype, method),
  );

decorate(
  EventPattern(
    process.env.EXPRESSION ? new RegExp(`^${prefix}\\.orders`, 'g') : `${prefix}.orders`,
    ...(ofHandler ?? []),
  ),
  'placed',
);
decorate(MessagePattern(`${prefix}.price`), 'price');
Controller()(OrdersController);

const clientOptions = { client, consumer: { groupId: prefix }, ...more.ofClient };
const prices = isStock ? new StockClient(clientOptions) : new ClientKafka(clientOptions);

class Asking {
  async onModuleInit() {
    prices.subscribeToResponseOf(`${prefix}.stock`);
    await prices.connect();
    // What is sent at the start is sent nowhere.
    prices.emit(`${prefix}.started`, {}).subscribe();
  }
}

class ServiceModule {}
Module({ controllers: [OrdersController], providers: [Asking] })(ServiceModule);

const options = { client, consumer: { groupId: prefix }, ...more.ofServer };
const transport = isStock
  ? process.env.STRATEGY
    ? { strategy: new StockServer(options) }
    : { transport: Transport.KAFKA, options }
  : { strategy: new ServerKafka(options) };

const app = await NestFactory.create(ServiceModule, { logger: ['error', 'warn'] });
app.connectMicroservice(transport);
await app.startAllMicroservices();
await app.listen(0);
console.log('listening');
