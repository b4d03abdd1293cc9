// An application that uses every right that `acls` knows of, and says on standard output what has worked. PREFIX begins its names.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { ClientKafka, Kafka, ServerKafka } from 'nestjs-kafka-native';
import { firstValueFrom } from 'rxjs';

const prefix = process.env.PREFIX;
const client = {
  clientId: prefix,
  brokers: process.env.KAFKA_BROKERS.split(','),
  sasl: { mechanism: 'plain', username: process.env.KAFKA_USER, password: 'secret' },
  retry: { retries: 1, initialRetryTime: 100 },
  connectionTimeout: 5000,
};

const works = (what) => console.log(`works: ${what}`);
const fails = (what) => (error) => console.log(`fails: ${what}: ${error.message}`);

class OrdersController {
  placed() {
    works('event');
  }

  price() {
    return 7;
  }

  bad() {
    throw new Error('bad');
  }
}
const decorate = (decorator, method) =>
  decorator(
    OrdersController.prototype,
    method,
    Object.getOwnPropertyDescriptor(OrdersController.prototype, method),
  );
decorate(EventPattern(`${prefix}.orders`), 'placed');
decorate(MessagePattern(`${prefix}.price`), 'price');
decorate(
  EventPattern(`${prefix}.bad`, { kafka: { deadLetter: { topic: `${prefix}.dead`, maxAttempts: 1 } } }),
  'bad',
);
Controller()(OrdersController);

const prices = new ClientKafka({ client, consumer: { groupId: prefix }, replyTimeout: 8000 });
const producer = new Kafka(client).producer({ transactionalId: `${prefix}-tx` });

class ServiceModule {
  async onModuleInit() {
    prices.subscribeToResponseOf(`${prefix}.price`);
    await prices.connect();
    await producer.connect().catch(fails('connect'));
    try {
      const transaction = await producer.transaction();
      await transaction.send({ topic: `${prefix}.audit`, messages: [{ value: 'started' }] });
      await transaction.commit();
      works('transaction');
    } catch (error) {
      fails('transaction')(error);
    }
  }
}
Module({ controllers: [OrdersController] })(ServiceModule);

const app = await NestFactory.createMicroservice(ServiceModule, {
  strategy: new ServerKafka({ client, consumer: { groupId: prefix }, subscribe: { fromBeginning: true } }),
  logger: ['error', 'warn'],
});
await app.listen();
firstValueFrom(prices.send(`${prefix}.price`, {})).then(() => works('request'), fails('request'));
for (const topic of ['orders', 'bad'])
  prices.emit(`${prefix}.${topic}`, {}).subscribe({ error: fails(topic) });
