// An application that does not import this package, under `--import nestjs-kafka-native/register`: its handlers have options all the same.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload, Transport } from '@nestjs/microservices';

const { topic, options } = JSON.parse(process.argv[2]);

class Events {
  created(value, context) {
    process.send({ created: value, acked: context.ack() });
  }

  moved(value, context) {
    process.send({ moved: value, acked: context.ack() });
  }

  batch(values) {
    process.send({ batch: values });
  }
}

function decorate(name, pattern, kafka) {
  Payload()(Events.prototype, name, 0);
  Ctx()(Events.prototype, name, 1);
  EventPattern(pattern, { kafka })(
    Events.prototype,
    name,
    Object.getOwnPropertyDescriptor(Events.prototype, name),
  );
}
decorate('created', topic, {
  headers: { type: 'Created' },
  ack: 'manual',
  concurrency: { order: 'key', colour: 'red' },
  // What this package does not know, NestJS's own transport has ignored.
  handlerTimeOut: 5000,
});
decorate('moved', topic, { headers: { type: 'Moved' }, ack: 'manual', concurrency: { order: 'key' } });
decorate('batch', `${topic}-batch`, { batch: { maxWait: 300 } });
Controller()(Events);
class AppModule {}
Module({ controllers: [Events] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  transport: Transport.KAFKA,
  options,
  logger: ['error', 'warn'],
});
await app.listen();
process.send({ listening: true });
process.on('message', async () => {
  await app.close();
  process.disconnect();
});
