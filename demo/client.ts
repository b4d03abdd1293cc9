import { Inject, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule } from '@nestjs/microservices';
import { ClientKafka } from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { kafka } from './kafka.js';

@Injectable()
class Hero implements OnModuleInit {
  constructor(@Inject('HERO_SERVICE') private readonly client: ClientKafka) {}

  async onModuleInit() {
    this.client.status.subscribe((status) => console.log(`status: ${status}`));
    this.client.subscribeToResponseOf('hero.kill.dragon');
    await this.client.connect();
  }

  async play() {
    const fight = { heroId: 'Siegfried', dragonId: 'Fafnir' };

    console.log(`send hero.kill.dragon ${JSON.stringify(fight)}`);
    const start = performance.now();
    const items = await lastValueFrom(this.client.send('hero.kill.dragon', fight));
    console.log(`reply after ${(performance.now() - start).toFixed(1)} ms: ${JSON.stringify(items)}`);

    console.log(`emit hero.dragon.killed ${JSON.stringify(fight)}`);
    await lastValueFrom(this.client.emit('hero.dragon.killed', fight));
    console.log('the broker has the event');
  }
}

@Module({
  imports: [ClientsModule.register([{ name: 'HERO_SERVICE', customClass: ClientKafka, options: kafka }])],
  providers: [Hero],
})
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class ClientModule {}

async function main() {
  const app = await NestFactory.createApplicationContext(ClientModule, { logger: ['error'] });
  await app.get(Hero).play();
  await app.close();
}

void main();
