// An application that does not import this package, under `--import nestjs-kafka-native/register`: its messages have retry topics all the
// same, by the option of its server.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload, Transport } from '@nestjs/microservices';

const { topic, options } = JSON.parse(process.argv[2]);

class Events {
  async event(value, context) {
    const attempt = context.getDeliveryAttempt();
    await new Promise((resolve) => process.send({ value, attempt, topic: context.getTopic() }, resolve));
    if (value === 'bad' && attempt < 3) throw new Error('not now');
  }
}
Payload()(Events.prototype, 'event', 0);
Ctx()(Events.prototype, 'event', 1);
EventPattern(topic)(Events.prototype, 'event', Object.getOwnPropertyDescriptor(Events.prototype, 'event'));
Controller()(Events);
class AppModule {}
Module({ controllers: [Events] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  transport: Transport.KAFKA,
  options,
  logger: false,
});
await app.listen();
process.send('listening');
process.once('disconnect', () => process.exit());
