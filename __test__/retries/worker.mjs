// One process of an application whose messages fail and wait in retry topics, for tests that kill it. It tells of each delivery before
// its handler ends: argv[2] says how often a message fails by the remainder of its number.
import 'reflect-metadata';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';

const { topic, options, failures } = JSON.parse(process.argv[2]);

class Events {
  async event(data, context) {
    const delivery = {
      value: String(data),
      attempt: context.getDeliveryAttempt(),
      place: `${context.getTopic()} ${context.getPartition()} ${context.getMessage().offset}`,
      at: Date.now(),
    };
    await new Promise((resolve) => process.send(delivery, resolve));
    const number = Number(data);
    const fails = failures.find(({ every }) => number % every === 0)?.times ?? 0;
    if (delivery.attempt <= fails) throw new Error('not now');
  }
}
// What the decorators do, without a compiler.
Payload()(Events.prototype, 'event', 0);
Ctx()(Events.prototype, 'event', 1);
EventPattern(topic)(Events.prototype, 'event', Object.getOwnPropertyDescriptor(Events.prototype, 'event'));
Controller()(Events);
class AppModule {}
Module({ controllers: [Events] })(AppModule);

Logger.overrideLogger(process.env.KAFKA_TEST_LOGS ? ['log', 'warn', 'error'] : false);
const app = await NestFactory.createMicroservice(AppModule, { strategy: new ServerKafka(options) });
await app.listen();
process.send('listening');
process.channel?.unref();
process.once('disconnect', () => process.exit());
