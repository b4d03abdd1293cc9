// An application on two clusters, with servers, a client, and clients of its own, of kafkajs, too.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import * as kafkajs from 'kafkajs';
import { ClientKafka, Kafka, ServerKafka } from 'nestjs-kafka-native';

const EUROPE = Symbol('europe');
const ASIA = Symbol('asia');
const europe = { clientId: 'orders', brokers: ['eu:9092', 'eu:9093'] };
const asia = { clientId: 'orders', brokers: ['asia:9092'] };

class OrdersController {
  inEurope() {}
  inAsia() {}
  everywhere() {}
}
const decorate = (decorator, method) =>
  decorator(
    OrdersController.prototype,
    method,
    Object.getOwnPropertyDescriptor(OrdersController.prototype, method),
  );
decorate(EventPattern('orders.eu', EUROPE), 'inEurope');
decorate(EventPattern('orders.asia', ASIA), 'inAsia');
decorate(EventPattern('orders.all'), 'everywhere');
Controller()(OrdersController);

const client = new ClientKafka({ client: asia, consumer: { groupId: 'asking' } });
const emitting = new ClientKafka({ client: { brokers: ['eu:9093'] }, producerOnlyMode: true });

class Sending {
  async onModuleInit() {
    client.subscribeToResponseOf('price');
    await client.connect();
    await emitting.connect();
    emitting.emit('started.eu', {}).subscribe();
    const ours = new Kafka(asia).producer();
    await ours.send({ topic: 'sent.asia', messages: [{ value: 'a' }] });
    const stock = new kafkajs.Kafka(europe).producer();
    await stock.send({ topic: 'kafkajs.eu', messages: [{ value: 'a' }] });
  }
}

class AppModule {}
Module({ controllers: [OrdersController], providers: [Sending] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
for (const [transportId, of] of [
  [EUROPE, europe],
  [ASIA, asia],
]) {
  const strategy = new ServerKafka({ transportId, client: of, consumer: { groupId: 'orders' } });
  app.connectMicroservice({ strategy });
}
await app.startAllMicroservices();
await app.listen(0);
