import { Controller, Module, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  ClientKafka,
  Kafka,
  kafkaHandler,
  ServerKafka,
  type NestKafkaOptions,
  type TopicsOptions,
} from 'nestjs-kafka-native';
import { lastValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBroker, type Broker } from './broker/start.mjs';
import { BROKERS, closeBroker, createTopics, topicExists, unique } from './harness/broker';
import { until } from './harness/wait';

// options.topics, and servers of several clusters in one application.

const open: { close(): Promise<unknown> }[] = [];
const warnings: string[] = [];
const logger: LoggerService = {
  log: () => undefined,
  error: () => undefined,
  warn: (message: unknown) => warnings.push(String(message)),
};
const admin = new Kafka({ brokers: BROKERS, logLevel: 0 }).admin();

beforeEach(() => {
  warnings.length = 0;
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});
afterAll(async () => {
  await admin.disconnect();
  await closeBroker();
});

async function partitionsOf(topic: string): Promise<number> {
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? 0;
}

async function settingOf(topic: string, name: string): Promise<string | undefined> {
  await admin.connect();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic, configNames: [name] }],
  });
  return resources[0]?.configEntries[0]?.configValue;
}

function moduleOf(prefix: string): Type {
  @Controller()
  class OrdersController {
    @EventPattern(`${prefix}.orders`)
    placed(@Payload() _order: object): void {}

    @MessagePattern(`${prefix}.price`)
    price(@Payload() item: { cents: number }): number {
      return item.cents;
    }
  }
  @Module({ controllers: [OrdersController] })
  class OrdersModule {}
  return OrdersModule;
}

const optionsOf = (prefix: string, topics: TopicsOptions): NestKafkaOptions => ({
  client: { brokers: BROKERS, clientId: prefix },
  consumer: { groupId: prefix, allowAutoTopicCreation: false },
  topics,
});

async function serve(
  prefix: string,
  topics: TopicsOptions,
  more: NestKafkaOptions = {},
  module = moduleOf(prefix),
): Promise<void> {
  const strategy = new ServerKafka({ ...optionsOf(prefix, topics), ...more });
  const app = await NestFactory.createMicroservice(module, {
    strategy,
    logger,
    abortOnError: false,
  });
  open.push(app);
  await app.listen();
}

async function ask(prefix: string, topics: TopicsOptions, more: NestKafkaOptions = {}): Promise<ClientKafka> {
  const client = new ClientKafka({ ...optionsOf(prefix, topics), ...more });
  open.push(client);
  client.subscribeToResponseOf(`${prefix}.price`);
  await client.connect();
  return client;
}

describe('options.topics', () => {
  test('create: the topics of patterns, requests, replies and dead letters are made, and used', async () => {
    const prefix = unique('made');
    const defaults = { partitions: 2, replicationFactor: 1, config: { 'retention.ms': '3600000' } };
    const overrides = {
      [`${prefix}.orders`]: { partitions: 5, config: { 'cleanup.policy': 'compact' } },
      [`${prefix}.sent`]: {},
    };
    await serve(prefix, { provision: 'create', defaults, overrides }, { deadLetter: {} });
    const client = await ask(prefix, { provision: 'create', defaults, instances: 3 });
    expect(await partitionsOf(`${prefix}.orders`)).toBe(5);
    expect(await partitionsOf(`${prefix}.orders.DLT`)).toBe(2);
    expect(await partitionsOf(`${prefix}.price`)).toBe(2);
    expect(await partitionsOf(`${prefix}.sent`)).toBe(2);
    expect(await partitionsOf(`${prefix}.price.reply`)).toBe(3);
    expect(await settingOf(`${prefix}.orders`, 'retention.ms')).toBe('3600000');
    expect(await settingOf(`${prefix}.orders`, 'cleanup.policy')).toBe('compact');
    expect(warnings).toEqual([]);
    expect(await lastValueFrom(client.send(`${prefix}.price`, { cents: 7 }))).toBe('7');
  });

  test('create: a dead-letter topic has as many partitions as its source, where nothing says otherwise', async () => {
    const prefix = unique('like');
    await createTopics({ [`${prefix}.orders`]: 4, [`${prefix}.price`]: 1 });
    await serve(prefix, { provision: 'create' }, { deadLetter: {} });
    expect(await partitionsOf(`${prefix}.orders.DLT`)).toBe(4);
    expect(await partitionsOf(`${prefix}.price.DLT`)).toBe(1);
  });

  test('create: each handler by header has the dead-letter topic that it names', async () => {
    const prefix = unique('each');
    const letters = (type: string): object =>
      kafkaHandler({ headers: { type }, deadLetter: { topic: `${prefix}.${type}.dead` } });
    @Controller()
    class Typed {
      @EventPattern<string>(prefix, kafkaHandler({ deadLetter: false }))
      rest(): void {}

      @EventPattern<string>(prefix, letters('placed'))
      placed(): void {}

      @EventPattern<string>(prefix, letters('paid'))
      paid(): void {}
    }
    @Module({ controllers: [Typed] })
    class TypedModule {}
    const defaults = { partitions: 2, replicationFactor: 1 };
    await serve(prefix, { provision: 'create', defaults }, {}, TypedModule);
    expect(await partitionsOf(`${prefix}.placed.dead`)).toBe(2);
    expect(await partitionsOf(`${prefix}.paid.dead`)).toBe(2);
    expect(await topicExists(`${prefix}.DLT`)).toBe(false);
  });

  test('create: what differs is told of and left, but for reply partitions, which are added', async () => {
    const prefix = unique('differs');
    await createTopics({ [`${prefix}.price`]: 1, [`${prefix}.price.reply`]: 1 });
    await ask(prefix, {
      provision: 'create',
      overrides: { [`${prefix}.price`]: { partitions: 3 } },
      instances: 2,
    });
    expect(await partitionsOf(`${prefix}.price`)).toBe(1);
    expect(warnings.join('\n')).toContain(`${prefix}.price has 1 partition, not 3`);
    await until('partitions are added', async () => (await partitionsOf(`${prefix}.price.reply`)) === 2);
  });

  test('create: a topic that cannot be made is named, with the reason', async () => {
    const prefix = unique('refused');
    const overrides = {
      [`${prefix}.orders`]: { replicationFactor: 3 },
      [`${prefix}.price`]: { config: { 'retention.msx': '1' } },
    };
    const refused = serve(prefix, { provision: 'create', overrides });
    await expect(refused).rejects.toThrow(
      `Topics cannot be made as options.topics wants them: ${prefix}.orders: Replication-factor is invalid; ${prefix}.price: Configuration is invalid`,
    );
  });

  test('validate: nothing is made, and everything that is missing or differs is named', async () => {
    const prefix = unique('validated');
    await createTopics({ [`${prefix}.orders`]: 1 }, { 'retention.ms': '604800000' });
    const defaults = { partitions: 2, replicationFactor: 2, config: { 'retention.ms': '1' } };
    await expect(serve(prefix, { provision: 'validate', defaults })).rejects.toThrow(
      new RegExp(
        `^Topics are not as options.topics wants them: ${prefix}.orders has 1 partition, not 2; ${prefix}.orders has 1 replica, not 2; ${prefix}.orders has retention.ms=604800000, not 1; ${prefix}.price does not exist`,
      ),
    );
    expect(await topicExists(`${prefix}.price`)).toBe(false);
    await createTopics({ [`${prefix}.price`]: 1, [`${prefix}.price.reply`]: 2 });
    await serve(prefix, { provision: 'validate', defaults: { partitions: 1 } });
    await expect(ask(prefix, { provision: 'validate', instances: 3 })).rejects.toThrow(
      `${prefix}.price.reply has 2 partitions for 3 instances (options.topics.instances)`,
    );
    await ask(prefix, { provision: 'validate', instances: 3 }, { replies: 'assigned' });
  });

  test('several instances that start at once make them once', async () => {
    const prefix = unique('race');
    await Promise.all(
      [1, 2, 3].map(() => serve(prefix, { provision: 'create', defaults: { partitions: 3 } })),
    );
    expect(await partitionsOf(`${prefix}.orders`)).toBe(3);
  });

  test('several clients that start at once add the partitions of replies once', async () => {
    const prefix = unique('short');
    await createTopics({ [`${prefix}.price`]: 1, [`${prefix}.price.reply`]: 1 });
    const topics = { provision: 'create', instances: '3' as never } as const;
    await Promise.all([1, 2, 3].map(() => ask(prefix, topics)));
    expect(await partitionsOf(`${prefix}.price.reply`)).toBe(3);
  });

  test.each<[object, string]>([
    [{ provision: 'make' }, 'Invalid option options.topics.provision'],
    [
      { defaults: { partition: 1 } },
      'Unknown option options.topics.defaults.partition: did you mean options.topics.defaults.partitions?',
    ],
    [{ overrides: { a: { partitions: 0 } } }, 'Invalid option options.topics.overrides["a"].partitions'],
    [{ overrides: { 'a b': {} } }, 'Invalid option options.topics.overrides["a b"]'],
    [{ defaults: { config: { 'retention.ms': 5 } } }, 'Invalid option options.topics.defaults.config'],
  ])('%o is refused', (topics, text) => {
    expect(() => new ServerKafka({ topics } as object)).toThrow(text);
  });
});

describe('several clusters in one application', () => {
  let second: Broker;
  afterAll(() => second?.dispose());

  test('each handler is called by the server that it is bound to, or by both', async () => {
    second = await startBroker();
    const [EUROPE, ASIA] = [Symbol('europe'), Symbol('asia')];
    const topic = unique('both');
    const heard: string[] = [];

    @Controller()
    class OrdersController {
      @EventPattern<string>(topic, EUROPE)
      europe(@Payload() text: string): void {
        heard.push(`europe: ${text}`);
      }

      @EventPattern<string>(topic, ASIA)
      asia(@Payload() text: string): void {
        heard.push(`asia: ${text}`);
      }

      @EventPattern<string>(`${topic}.everywhere`)
      everywhere(@Payload() text: string): void {
        heard.push(`everywhere: ${text}`);
      }
    }
    @Module({ controllers: [OrdersController] })
    class OrdersModule {}

    const app = await NestFactory.create(OrdersModule, { logger, abortOnError: false });
    open.push(app);
    const clusters: [symbol, string[]][] = [
      [EUROPE, BROKERS],
      [ASIA, [second.brokers]],
    ];
    for (const [transportId, brokers] of clusters) {
      app.connectMicroservice({
        strategy: new ServerKafka({
          transportId,
          client: { brokers, clientId: topic },
          consumer: { groupId: topic },
          subscribe: { fromBeginning: true },
          topics: { provision: 'create', defaults: { partitions: 1 } },
        }),
      });
    }
    await app.startAllMicroservices();
    for (const [transportId, brokers] of clusters) {
      const client = new ClientKafka({ client: { brokers }, producerOnlyMode: true });
      open.push(client);
      for (const name of [topic, `${topic}.everywhere`]) {
        await lastValueFrom(client.emit(name, `to ${transportId.description}`));
      }
    }
    await until('all are heard', () => heard.length === 4);
    expect(heard.toSorted()).toEqual([
      'asia: to asia',
      'europe: to europe',
      'everywhere: to asia',
      'everywhere: to europe',
    ]);
  });

  test('transportId is a symbol, and the server’s', () => {
    expect(() => new ServerKafka({ transportId: 5 } as object)).toThrow(
      'Invalid option options.transportId: expected a symbol',
    );
    expect(() => new ClientKafka({ transportId: Symbol('a') })).toThrow(
      'Option options.transportId has no effect here',
    );
  });
});
