import {
  Controller,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Client,
  type ClientKafkaProxy,
  type ClientOptions,
  ClientProxyFactory,
  ClientsModule,
  Ctx,
  type CustomClientOptions,
  EventPattern,
  KafkaContext,
  type KafkaStatus,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
} from '@nestjs/microservices';
import { ClientKafka, ServerKafka, type Kafka } from 'nestjs-kafka-native';
import { firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, describeGroup, unique } from './harness/broker';
import { logs } from './harness/logs';
import { outcome } from './harness/outcome';
import { Tap } from './harness/tap';
import { until } from './harness/wait';

// The examples of NestJS's documentation of the Kafka transport, each as an application would write it.

const apps: { close(): Promise<unknown> }[] = [];
let hero = '';
let killDragon = '';

beforeEach(async () => {
  hero = unique('hero');
  killDragon = `${hero}.kill.dragon`;
  await createTopics({ [killDragon]: 1, [`${killDragon}.reply`]: 3 });
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

afterAll(closeBroker);

/** Remembers what has to be closed after the test. */
function closing<T extends { close(): Promise<unknown> }>(app: T): T {
  apps.push(app);
  return app;
}

/** The options of the page: a client id and a group id, nothing else. */
function heroOptions(): { client: { clientId: string; brokers: string[] }; consumer: { groupId: string } } {
  return { client: { clientId: hero, brokers: BROKERS }, consumer: { groupId: `${hero}-consumer` } };
}

const items = [
  { id: 1, name: 'Mythical Sword' },
  { id: 2, name: 'Key to Dungeon' },
];

function heroesController(topic: string): Type {
  @Controller()
  class HeroesController {
    @MessagePattern(topic)
    killDragon(@Payload() message: { dragonId: number }): unknown {
      return message.dragonId === 13 ? [] : items;
    }
  }
  return HeroesController;
}

/** A hybrid application with the transport as its microservice, started. */
async function hybrid(module: Type): Promise<INestApplication> {
  const app = closing(await NestFactory.create(module, { logger: logs, abortOnError: false }));
  const strategy = new ServerKafka({ ...heroOptions(), subscribe: { fromBeginning: true } });
  app.connectMicroservice<MicroserviceOptions>({ strategy });
  await app.startAllMicroservices();
  await app.init();
  return app;
}

describe('W2 ways to make a client', () => {
  test('ClientsModule.register, in a hybrid application', async () => {
    const topic = killDragon;
    @Injectable()
    class Hunt implements OnModuleInit {
      constructor(@Inject('HERO_SERVICE') readonly client: ClientKafkaProxy) {}

      onModuleInit(): void {
        this.client.subscribeToResponseOf(topic);
      }

      hunt(): Promise<unknown> {
        return firstValueFrom(this.client.send(topic, { dragonId: 1 }));
      }
    }
    @Module({
      imports: [
        ClientsModule.register([{ name: 'HERO_SERVICE', customClass: ClientKafka, options: heroOptions() }]),
      ],
      controllers: [heroesController(topic)],
      providers: [Hunt],
    })
    class AppModule {}

    const app = await hybrid(AppModule);
    expect(app.get(Hunt).client).toBeInstanceOf(ClientKafka);
    expect(await app.get(Hunt).hunt()).toEqual(items);
  });

  test('ClientsModule.registerAsync with a factory, connected after subscribeToResponseOf', async () => {
    const topic = killDragon;
    @Injectable()
    class Hunt implements OnModuleInit {
      constructor(@Inject('HERO_SERVICE') readonly client: ClientKafkaProxy) {}

      async onModuleInit(): Promise<void> {
        this.client.subscribeToResponseOf(topic);
        await this.client.connect();
      }
    }
    @Module({
      imports: [
        ClientsModule.registerAsync({
          clients: [
            {
              name: 'HERO_SERVICE',
              useFactory: () => ({ customClass: ClientKafka, options: heroOptions() }),
            },
          ],
        }),
      ],
      controllers: [heroesController(topic)],
      providers: [Hunt],
    })
    class AppModule {}

    const { client } = (await hybrid(AppModule)).get(Hunt);
    expect(await outcome(client.send(topic, { dragonId: 13 }))).toEqual({ values: [[]], ended: 'completed' });
  });

  test('@Client', async () => {
    const topic = killDragon;
    // The decorator takes custom classes; only its type does not say so.
    const custom: CustomClientOptions = { customClass: ClientKafka, options: heroOptions() };
    @Injectable()
    class Hunt implements OnModuleInit {
      @Client(custom as unknown as ClientOptions)
      client!: ClientKafkaProxy;

      onModuleInit(): void {
        this.client.subscribeToResponseOf(topic);
      }
    }
    @Module({ controllers: [heroesController(topic)], providers: [Hunt] })
    class AppModule {}

    const { client } = (await hybrid(AppModule)).get(Hunt);
    expect(client).toBeInstanceOf(ClientKafka);
    expect(await firstValueFrom(client.send(topic, { dragonId: 1 }))).toEqual(items);
  });

  test('ClientProxyFactory.create and new ClientKafka', async () => {
    @Module({ controllers: [heroesController(killDragon)] })
    class AppModule {}
    await hybrid(AppModule);
    const made = ClientProxyFactory.create({ customClass: ClientKafka, options: heroOptions() });
    expect(made).toBeInstanceOf(ClientKafka);
    const clients = [made as ClientKafka, new ClientKafka(heroOptions())].map(closing);
    for (const client of clients) {
      client.subscribeToResponseOf(killDragon);
      await client.connect();
    }
    const answers = clients.map((client) => firstValueFrom(client.send(killDragon, { dragonId: 1 })));
    expect(await Promise.all(answers)).toEqual([items, items]);
  });

  test('producerOnlyMode joins no group, and emits', async () => {
    const client = closing(new ClientKafka({ ...heroOptions(), producerOnlyMode: true }));
    expect((await outcome(client.emit(killDragon, { dragonId: 1 }))).ended).toBe('completed');
    expect((await describeGroup(`${hero}-consumer-client`)).members).toEqual([]);
    expect(await outcome(client.send(killDragon, { dragonId: 1 }))).toMatchObject({ ended: 'failed' });
  });
});

describe('D2 outgoing messages', () => {
  test('a result may have a key and headers, and so may a request', async () => {
    const keys: unknown[] = [];
    const topic = killDragon;
    @Controller()
    class HeroesController {
      @MessagePattern(topic)
      killDragon(@Payload() message: { heroId: string }, @Ctx() context: KafkaContext): unknown {
        keys.push([context.getMessage().key, context.getMessage().headers?.['realm']]);
        return { headers: { kafka_nestRealm: 'Nest' }, key: message.heroId, value: items };
      }
    }
    @Module({ controllers: [HeroesController] })
    class AppModule {}
    await hybrid(AppModule);
    const client = closing(new ClientKafka(heroOptions()));
    client.subscribeToResponseOf(topic);

    const request = { key: 'hero-1', value: { heroId: 'hero-1' }, headers: { realm: 'Nest' } };
    expect(await firstValueFrom(client.send(topic, request))).toEqual(items);
    expect(keys).toEqual([['hero-1', 'Nest']]);

    const tap = closing(await Tap.on([`${topic}.reply`]));
    const [reply] = await tap.read(`${topic}.reply`, 1);
    expect(reply).toMatchObject({ key: 'hero-1', value: JSON.stringify(items) });
    expect(reply?.headers).toContainEqual(['kafka_nestRealm', 'Nest']);
  });
});

describe('C1 context', () => {
  test('topic, message, partition and heartbeat of a slow handler', async () => {
    const seen: unknown[] = [];
    const topic = killDragon;
    @Controller()
    class HeroesController {
      @EventPattern<string>(topic)
      async killDragon(@Payload() message: unknown, @Ctx() context: KafkaContext): Promise<void> {
        const original = context.getMessage();
        const { headers, timestamp, offset, size, attributes } = original as typeof original & {
          size: number;
        };
        const heartbeat = context.getHeartbeat();
        await heartbeat();
        seen.push({ message, topic: context.getTopic(), partition: context.getPartition(), headers, offset });
        seen.push([
          typeof timestamp,
          typeof size,
          typeof attributes,
          Number(timestamp) > 0,
          context instanceof KafkaContext,
        ]);
        await heartbeat();
      }
    }
    @Module({ controllers: [HeroesController] })
    class AppModule {}
    await hybrid(AppModule);
    const client = closing(new ClientKafka(heroOptions()));
    client.emit(topic, { value: { dragonId: 7 }, headers: { realm: 'Nest' } });
    await until('the event is handled', () => seen.length === 2);
    expect(seen).toMatchObject([
      { message: { dragonId: 7 }, topic, partition: 0, headers: { realm: 'Nest' }, offset: '0' },
      ['string', 'number', 'number', true, true],
    ]);
  });
});

describe('N1 and N2 naming', () => {
  test('server and client get their postfixes, and reply topics end in .reply', async () => {
    @Module({ controllers: [heroesController(killDragon)] })
    class AppModule {}
    await hybrid(AppModule);
    const client = closing(new ClientKafka(heroOptions()));
    client.subscribeToResponseOf(killDragon);
    await client.connect();

    const groups = [
      await describeGroup(`${hero}-consumer-server`),
      await describeGroup(`${hero}-consumer-client`),
    ];
    expect(groups.map(({ members }) => members.map(({ clientId }) => clientId))).toEqual([
      [`${hero}-server`],
      [`${hero}-client`],
    ]);
    expect(client.getConsumerAssignments()).toEqual({ [`${killDragon}.reply`]: 0 });
  });

  test('a subclass names its reply topics', async () => {
    class DragonClient extends ClientKafka {
      protected override getResponsePatternName(pattern: string): string {
        return pattern.replace('.kill.', '.killed.');
      }
    }
    await createTopics({ [`${hero}.killed.dragon`]: 1 });
    @Module({ controllers: [heroesController(killDragon)] })
    class AppModule {}
    await hybrid(AppModule);
    const client = closing(new DragonClient(heroOptions()));
    client.subscribeToResponseOf(killDragon);
    expect(await firstValueFrom(client.send(killDragon, { dragonId: 1 }))).toEqual(items);
    expect(client.getConsumerAssignments()).toEqual({ [`${hero}.killed.dragon`]: 0 });
  });
});

describe('R2 reply partitions', () => {
  test('of two clients on one reply partition, exactly one errors, and says why', async () => {
    const topic = `${hero}.one`;
    await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
    @Module({ controllers: [heroesController(topic)] })
    class AppModule {}
    await hybrid(AppModule);
    const clients = [1, 2].map(() => closing(new ClientKafka(heroOptions())));
    for (const client of clients) {
      client.subscribeToResponseOf(topic);
      await client.connect();
    }
    await until('the group has settled', async () => {
      const { state, members } = await describeGroup(`${hero}-consumer-client`);
      const placed = clients.filter((client) => Object.keys(client.getConsumerAssignments()).length > 0);
      return state === 'Stable' && members.length === 2 && placed.length === 1;
    });
    const answers = await Promise.all(clients.map((client) => outcome(client.send(topic, { dragonId: 1 }))));
    expect(answers.map(({ ended }) => ended).toSorted()).toEqual(['completed', 'failed']);
    const { error } = answers.find(({ ended }) => ended === 'failed') ?? {};
    expect((error as Error).message).toContain(
      `The client consumer did not subscribe to the corresponding reply topic (${topic}.reply).`,
    );
    expect((error as Error).message).toMatch(/\b1 partition/);
    expect((error as Error).message).toMatch(/\b2 (members|clients)/);
  });
});

describe('S1 and S2 status and drivers', () => {
  test('status streams of client and server', async () => {
    @Module({ controllers: [heroesController(killDragon)] })
    class AppModule {}
    const app = closing(await NestFactory.create(AppModule, { logger: logs, abortOnError: false }));
    const server = app.connectMicroservice<MicroserviceOptions>({ strategy: new ServerKafka(heroOptions()) });
    const client = new ClientKafka(heroOptions());
    client.subscribeToResponseOf(killDragon);
    const seen: Record<'client' | 'server', KafkaStatus[]> = { client: [], server: [] };
    server.status.subscribe((status) => seen.server.push(status as KafkaStatus));
    client.status.subscribe((status: KafkaStatus) => seen.client.push(status));

    await app.startAllMicroservices();
    await client.connect();
    expect(seen).toEqual({ client: ['connected'], server: ['connected'] });
    await client.close();
    await app.close();
    expect(seen.client.toSorted().at(-1)).toBe('stopped');
    expect(seen.client.at(-1)).toBe('disconnected');
    expect(seen.server).toEqual(['connected', 'stopped', 'disconnected']);
  });

  test('producer, consumer and unwrap', async () => {
    const client = closing(new ClientKafka(heroOptions()));
    client.subscribeToResponseOf(killDragon);
    expect(() => client.producer).toThrow('Please, call the "connect" method first');
    await client.connect();
    const { producer, consumer } = client;
    const [written] = await producer.send({ topic: killDragon, messages: [{ key: 'k', value: 'v' }] });
    expect(written).toMatchObject({ topicName: killDragon, partition: 0, errorCode: 0, baseOffset: '0' });
    expect(await consumer.describeGroup()).toMatchObject({
      groupId: `${hero}-consumer-client`,
      state: 'Stable',
    });

    const another = client.unwrap<Kafka>().producer();
    await another.connect();
    const [second] = await another.send({ topic: killDragon, messages: [{ key: 'k', value: 'w' }] });
    expect(second).toMatchObject({ topicName: killDragon, baseOffset: '1' });
    await another.disconnect();
  });
});
