// One instance of an application, for tests that kill it, stop it or measure it. Its work is described in argv[2]; what it has handled
// goes to a file, line by line, written before the handler returns: a line is there even if the process is killed right after.
import 'reflect-metadata';
import { openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { ServerKafka } from 'nestjs-kafka-native';

const { topic, options, log, name, milliseconds, shutdownHooks, handler } = JSON.parse(process.argv[2]);
const file = openSync(log, 'a');

class Events {
  async handle(data, context) {
    // `block 3000` does so for three seconds.
    const end = performance.now() + Number(/block (\d+)/.exec(String(data))?.[1] ?? 0);
    while (performance.now() < end);
    await delay(typeof milliseconds === 'number' ? milliseconds : Math.random() * milliseconds.upTo);
    const { offset } = context.getMessage();
    // By hand, and later: what is written below is then what was acknowledged.
    if (handler?.ack === 'manual') {
      setTimeout(() => context.ack() && note(context, offset), Math.random() * 50);
      return;
    }
    note(context, offset);
  }
}

function note(context, offset) {
  writeSync(file, `${JSON.stringify([name, context.getPartition(), offset, Date.now()])}\n`);
}
// What the decorators do, without a compiler.
Payload()(Events.prototype, 'handle', 0);
Ctx()(Events.prototype, 'handle', 1);
EventPattern(topic, handler ? { kafka: handler } : {})(
  Events.prototype,
  'handle',
  Object.getOwnPropertyDescriptor(Events.prototype, 'handle'),
);
Controller()(Events);
class AppModule {}
Module({ controllers: [Events] })(AppModule);

const tell = (message) => process.connected && process.send(message);
const server = new ServerKafka(options);
server.status.subscribe((status) => tell({ status, at: Date.now() }));
Logger.overrideLogger(process.env.KAFKA_TEST_LOGS ? ['log', 'warn', 'error'] : false);
const app = await NestFactory.createMicroservice(AppModule, { strategy: server });
if (shutdownHooks) app.enableShutdownHooks();
await app.listen();
tell({ status: 'listening', at: Date.now() });
// Memory is asked for over the channel, which must not keep the process.
process.on('message', () => {
  globalThis.gc?.();
  tell({ rss: process.memoryUsage.rss(), memory: process.memoryUsage() });
});
process.channel?.unref();
