import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerKafka } from 'nestjs-kafka-native';
import { HeroController } from './hero.controller.js';
import { kafka } from './kafka.js';

@Module({ controllers: [HeroController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class ServiceModule {}

async function main() {
  const app = await NestFactory.createMicroservice(ServiceModule, {
    strategy: new ServerKafka(kafka),
    logger: ['error'],
  });
  app.status.subscribe((status) => console.log(`status: ${status}`));
  await app.listen();
  console.log('listening');

  // The demo says when it is over; after close() nothing keeps the process alive.
  process.once('disconnect', () => void app.close());
}

void main();
