// A process that pays once for each order and tells of it; argv[2] says where. With `dies` it is killed behind the payment, before the
// store knows.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { Idempotent, ServerKafka } from 'nestjs-kafka-native';
import { PostgresIdempotencyStore } from 'nestjs-kafka-native/postgres';
import { RedisIdempotencyStore } from 'nestjs-kafka-native/redis';
import { Pool } from 'pg';

const { topic, path, isPostgres, lease, dies, options } = JSON.parse(process.argv[2]);

const store = isPostgres
  ? new PostgresIdempotencyStore({ query: new Pool({ host: path, user: 'tests', database: 'postgres' }) })
  : new RedisIdempotencyStore({ client: new Redis({ path }) });
if (dies) store.done = () => process.kill(process.pid, 'SIGKILL');

class Payments {
  async pay(id) {
    await new Promise((resolve) => process.send({ paid: id }, resolve));
  }
}

// What the decorators do, without a compiler.
function decorate(decorator) {
  const descriptor = Object.getOwnPropertyDescriptor(Payments.prototype, 'pay');
  decorator(Payments.prototype, 'pay', descriptor);
  Object.defineProperty(Payments.prototype, 'pay', descriptor);
}
decorate(Idempotent({ key: (id) => `${topic}:${id}`, store, lease }));
Payload()(Payments.prototype, 'pay', 0);
decorate(EventPattern(topic));
Controller()(Payments);
class AppModule {}
Module({ controllers: [Payments] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  strategy: new ServerKafka(options),
  logger: ['error'],
});
await app.listen();
process.send({ listening: true });
process.channel.unref();
