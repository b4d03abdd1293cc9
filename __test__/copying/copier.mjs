// One process of an application that copies messages in transactions, for tests that kill it. Its work is described in argv[2]. Now and
// then a handler fails behind what it has sent, and some wait a little.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';

const { input, output, options, failures, upTo } = JSON.parse(process.argv[2]);

class Copying {
  async copy(data, context) {
    const transaction = context.getTransaction();
    const messages = [{ value: String(data), partition: context.getPartition() }];
    const sent = transaction.send({ topic: output, messages });
    if (Math.random() < 0.5) await sent;
    if (upTo > 0 && Math.random() < 0.2) await delay(Math.random() * upTo);
    if (Math.random() < failures) throw new Error('now and then');
  }
}
// What the decorators do, without a compiler.
Payload()(Copying.prototype, 'copy', 0);
Ctx()(Copying.prototype, 'copy', 1);
EventPattern(input, { kafka: { transactional: true } })(
  Copying.prototype,
  'copy',
  Object.getOwnPropertyDescriptor(Copying.prototype, 'copy'),
);
Controller()(Copying);
class AppModule {}
Module({ controllers: [Copying] })(AppModule);

Logger.overrideLogger(process.env.KAFKA_TEST_LOGS ? ['log', 'warn', 'error'] : false);
const app = await NestFactory.createMicroservice(AppModule, { strategy: new ServerKafka(options) });
app.enableShutdownHooks();
await app.listen();
process.send('listening');
process.channel?.unref();
