// The hero example in one file of plain JavaScript, as an application that knows NestJS only: copied beside an installed
// package and started with `--import nestjs-kafka-native/register`. The broker is the package's embedded one.

import 'reflect-metadata';
import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { lastValueFrom } from 'rxjs';

let heard;
const event = new Promise((resolve) => {
  heard = resolve;
});

class Hero {
  killDragon({ dragonId }) {
    return [{ id: 1, name: 'Mythical Sword', dragonId }];
  }

  dragonKilled({ dragonId }) {
    heard(dragonId);
  }
}
// What the decorators do, without a compiler.
for (const [decorator, name] of [
  [MessagePattern('hero.kill.dragon'), 'killDragon'],
  [EventPattern('hero.dragon.killed'), 'dragonKilled'],
]) {
  Payload()(Hero.prototype, name, 0);
  decorator(Hero.prototype, name, Object.getOwnPropertyDescriptor(Hero.prototype, name));
}
Controller()(Hero);

// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
const HeroModule = { module: class HeroModule {}, controllers: [Hero] };

const topics = { 'hero.kill.dragon': 1, 'hero.kill.dragon.reply': 1, 'hero.dragon.killed': 1 };
const kafka = MockKafka.start({ topics });
const options = { client: { brokers: [...kafka.brokers] }, subscribe: { fromBeginning: true } };
const app = await NestFactory.createMicroservice(HeroModule, { transport: Transport.KAFKA, options });
await app.listen();
const client = ClientProxyFactory.create({ transport: Transport.KAFKA, options });
client.subscribeToResponseOf('hero.kill.dragon');
await client.connect();
const reply = await lastValueFrom(client.send('hero.kill.dragon', { dragonId: 'Fafnir' }));
await lastValueFrom(client.emit('hero.dragon.killed', { dragonId: 'Fafnir' }));
const killed = await event;
await client.close();
await app.close();
kafka.stop();
process.stdout.write(`${JSON.stringify({ reply, killed, node: process.version })}\n`);
