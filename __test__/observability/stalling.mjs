// A server whose handler never returns, and which is told to end then.

import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';

const [topic] = process.argv.slice(2);

class Events {
  event() {
    return new Promise(() => undefined);
  }
}
Controller()(Events);
EventPattern(topic)(Events.prototype, 'event', Object.getOwnPropertyDescriptor(Events.prototype, 'event'));

class AppModule {}
Module({ controllers: [Events] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  strategy: new ServerKafka({
    client: { brokers: process.env.KAFKA_BROKERS.split(',') },
    consumer: { groupId: topic, stallTimeout: 300, onStall: 'exit' },
    subscribe: { fromBeginning: true },
  }),
});
await app.listen();
