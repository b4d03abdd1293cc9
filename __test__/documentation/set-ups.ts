/** What a block of a page needs around it to be a program: what the page has said before, or leaves to the reader. */
export interface SetUp {
  /** Imports that the block takes for granted. */
  imports?: string;
  /** Statements before it. */
  before?: string;
  /** Statements behind it: what it is to have done, and the end of what it has opened. */
  after?: string;
  /** Put directly around the block, which is a part of a statement then. */
  around?: [string, string];
  /** Texts that are replaced, so that a wait is short. */
  replaced?: [string, string][];
}

const KAFKA = 'const kafka = new native.Kafka({ brokers });';
const NEST = `
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
`;
const MODULE = '@Module({}) class HeroModule {} const AppModule = HeroModule;';

/** For handlers that a page shows: they are served from the beginning of their topics, and closed. */
const HANDLERS = `
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { type KafkaContext, kafkaHandler, ServerKafka } from 'nestjs-kafka-native';
`;
const SERVE = `
  const serve = async (controller: Type, options: native.NestKafkaOptions = {}) => {
    @Module({ controllers: [controller] }) class Served {}
    const strategy = new ServerKafka({
      client: { brokers }, consumer: { groupId: controller.name }, subscribe: { fromBeginning: true }, ...options,
    });
    const app = await NestFactory.createMicroservice(Served, { strategy, logger: ['error', 'warn'] });
    await app.listen();
    return () => app.close();
  };
`;

/** By page, language and place. A block without one is a program as it stands. */
export const SET_UPS: Readonly<Record<string, SetUp>> = {
  'docs/migration.md diff 0 before': {
    imports: "import { Module } from '@nestjs/common'; import { NestFactory } from '@nestjs/core';",
    before: MODULE,
  },
  'docs/migration.md diff 0 after': {
    imports: "import { Module } from '@nestjs/common'; import { NestFactory } from '@nestjs/core';",
    before: MODULE,
    after: 'assert.equal(await app.listen(), undefined); await app.close();',
  },
  'docs/migration.md diff 1 before': {},
  'docs/migration.md diff 1 after': {},
  'docs/admin.md ts 0': {
    replaced: [['await admin.describeConfigs(', 'const { resources } = await admin.describeConfigs(']],
    after:
      "assert.deepEqual(resources[0]?.configEntries.map(({ configName }) => configName), ['retention.ms']);",
  },
  'docs/consumer.md ts 0': {
    before:
      "await prepare('hero.kill.dragon'); const printed = said(/^hero.kill.dragon \\d+: Fafnir$/); await send('hero.kill.dragon', 'Fafnir');",
    after: 'await printed; await consumer.disconnect();',
  },
  'docs/consumer.md ts 1': {
    before: "await prepare('hero.kill.dragon');",
    after: `
      const consumer = new Kafka({ brokers }).consumer({ groupId: 'all-to-one', partitionAssigners: [allToOne] });
      const joined = new Promise<string>((resolve) => {
        consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => resolve(payload.groupProtocol));
      });
      await consumer.connect();
      await consumer.subscribe({ topics: ['hero.kill.dragon'] });
      await consumer.run({ eachMessage: async () => {} });
      assert.equal(await joined, 'AllToOne');
      await consumer.disconnect();`,
  },
  'docs/consumer.md ts 2': {
    before: `${KAFKA} const producer = kafka.producer(); const printed = said(/nodeid/);`,
    replaced: [['10_000', '500']],
    after: `
      await prepare('hero.kill.dragon');
      await consumer.connect();
      await consumer.subscribe({ topics: ['hero.kill.dragon'] });
      await consumer.run({ eachMessage: async () => {} });
      await printed;
      await consumer.disconnect();`,
  },
  'docs/dead-letter.md ts 0': { imports: NEST },
  'docs/dead-letter.md ts 1': {
    imports: `${NEST} import { BadRequestException } from '@nestjs/common';`,
    before: 'class OutOfStockError extends Error {}',
    around: ["new ServerKafka({ client: { brokers }, consumer: { groupId: 'orders' },", '});'],
  },
  'docs/handlers.md ts 0': {
    imports: HANDLERS,
    before: `await prepare('orders', 'clicks'); ${SERVE}`,
    after: `
      const printed = said(/^placed 7$/);
      const stop = await serve(OrdersController);
      await send('orders', JSON.stringify({ id: '7' }));
      await printed;
      await stop();`,
  },
  'docs/health.md ts 0': {
    imports: "import { NestFactory } from '@nestjs/core';",
    before: `
      ${KAFKA}
      const producer = kafka.producer();
      await producer.connect();`,
    after: `
      const app = await NestFactory.create(HealthModule, { logger: ['error', 'warn'] });
      await app.listen(0, '127.0.0.1');
      for (const probe of ['started', 'ready', 'alive']) {
        const answer = await fetch(\`\${await app.getUrl()}/health/\${probe}\`);
        assert.equal(answer.status, 200, await answer.text());
      }
      await app.close();
      await producer.disconnect();`,
  },
  'docs/health.md ts 1': { after: 'assert.equal(typeof server.listen, "function");' },
  'docs/observability.md ts 0': {
    before: `
      ${KAFKA}
      await prepare('hero.kill.dragon');
      const consumer = kafka.consumer({ groupId: 'observed' });
      await consumer.connect();
      await consumer.subscribe({ topics: ['hero.kill.dragon'], fromBeginning: true });
      await consumer.run({ eachMessage: async () => {} });
      const printed = said(/^hero.kill.dragon \\[\\d+\\] \\d+: [\\d.]+ ms$/);`,
    after: "await send('hero.kill.dragon', 'Fafnir'); await printed; await consumer.disconnect();",
  },
  'docs/handlers.md ts 1': {
    imports: HANDLERS,
    before: `await prepare('accounts'); ${SERVE}`,
    after: `
      const printed = said(/^stored 7$/);
      const stop = await serve(AccountsController);
      await send('accounts', JSON.stringify({ id: '7' }));
      await printed;
      await stop();`,
  },
  'docs/handlers.md ts 2': {
    imports: `${HANDLERS} import { BatchPattern, KafkaBatchContext, KafkaBatchError } from 'nestjs-kafka-native';`,
    before: `await prepare('metrics'); ${SERVE}`,
    after: `
      const printed = said(/^stored 1$/);
      const stop = await serve(MetricsController);
      await send('metrics', JSON.stringify({ name: 'load' }));
      await printed;
      await stop();`,
  },
  'docs/handlers.md ts 3': {
    imports: HANDLERS,
    before: `await prepare('payments'); ${SERVE}`,
    after: `
      const printed = said(/^paid 3$/);
      const stop = await serve(PaymentsController);
      for (const value of ['1', '2', '3']) await send('payments', value);
      await printed;
      await stop();`,
  },
  'docs/handlers.md ts 4': {
    imports: HANDLERS,
    before: `await prepare('shop'); ${SERVE}`,
    after: `
      const printed = said(/^moved 7$/);
      const stop = await serve(ShopController);
      const producer = new native.Kafka({ brokers }).producer();
      await producer.connect();
      const value = JSON.stringify({ id: '7' });
      await producer.send({ topic: 'shop', messages: [{ value, headers: { 'event-type': 'OrderPaid' } }] });
      await printed;
      await producer.disconnect();
      await stop();`,
  },
  'docs/observability.md ts 1': {
    imports: "import { trace } from '@opentelemetry/api';",
    after: "assert.equal(trace.getTracer('guide').startSpan('here').isRecording(), true);",
  },
  'docs/observability.md ts 2': {
    after: 'assert.match(await register.metrics(), /kafka_consumer_lag/);',
  },
  'docs/options.md ts 0': { imports: NEST },
  'docs/retries.md ts 0': { imports: NEST },
  'docs/exactly-once.md ts 0': {
    imports: `
      import { Module, type Type } from '@nestjs/common';
      import { NestFactory } from '@nestjs/core';
      import { ServerKafka } from 'nestjs-kafka-native';`,
    before: `await prepare('orders', 'invoices', 'billed'); ${SERVE}`,
    after: `
      const stop = await serve(BillingController, { transactions: { idPrefix: 'billing' } });
      await send('orders', JSON.stringify({ id: '7', total: 12 }));
      await find('invoices', '12');
      await find('billed', JSON.stringify({ id: '7' }));
      await stop();`,
  },
  'docs/exactly-once.md ts 1': { imports: NEST },
  // Neither server is there: the stores themselves are tried in __test__/idempotent.
  'docs/exactly-once.md ts 3': {
    replaced: [['maxRetriesPerRequest: 1 ', 'maxRetriesPerRequest: 1, lazyConnect: true ']],
    after: 'assert.equal(typeof inRedis.claim, "function");',
  },
  'docs/exactly-once.md ts 4': {
    replaced: [
      ['await inPostgres.createTable();', ''],
      ['3_600_000', '1_000_000'],
    ],
    after: 'assert.equal(typeof inPostgres.claim, "function"); await pool.end();',
  },
  'docs/producer.md ts 0': {
    after: `
      assert.deepEqual(Object.keys(written[0]!).sort(), ['baseOffset', 'errorCode', 'logAppendTime', 'logStartOffset', 'partition', 'topicName']);
      assert.equal(written[0]!.logAppendTime, '-1');
      assert.equal(written[0]!.logStartOffset, '0');`,
  },
  'docs/replies.md ts 0': {
    before:
      "await prepare('hero.kill.dragon.reply'); const client = new native.ClientKafka({ client: { brokers }, consumer: { groupId: 'replies' } });",
    after: `
      assert.equal(typeof client.getConsumerAssignments()['hero.kill.dragon.reply'], 'number');
      await client.close();`,
  },
  'docs/replies.md ts 1': { imports: NEST },
  'docs/replies.md ts 2': {
    // The request ends by its time-out: nobody serves the pattern here.
    imports: "import { lastValueFrom } from 'rxjs';",
    before: "await prepare('hero.kill.dragon', 'hero.kill.dragon.reply');",
    replaced: [
      ['replyTimeout: 5000', 'replyTimeout: 500'],
      [
        'const client = new ClientKafka({ client: { brokers }, replyTimeout: 500 });',
        "const client = new ClientKafka({ client: { brokers }, replyTimeout: 500 }); client.subscribeToResponseOf('hero.kill.dragon'); await client.connect();",
      ],
      [
        "client.send('hero.kill.dragon', { dragonId: 'Fafnir' }).pipe(",
        "const answer = client.send('hero.kill.dragon', { dragonId: 'Fafnir' }).pipe(",
      ],
    ],
    after: 'assert.equal(await lastValueFrom(answer), undefined); await client.close();',
  },
  'docs/scaling.md ts 0': {
    before: "await prepare('hero.kill.dragon'); await send('hero.kill.dragon', 'Fafnir');",
    replaced: [["await lag('hero", "const waiting = await lag('hero"]],
    after: 'assert.ok(waiting >= 1); await admin.disconnect();',
  },
  'docs/scaling.md ts 1': {
    imports: NEST,
    around: ['new ClientKafka({ client: { brokers },', '});'],
  },
  'docs/schema-registry.md ts 0': {
    after: 'await client.connect(); await client.close();',
  },
  'docs/security.md ts 0': {
    imports: "import { rootCertificates } from 'node:tls';",
    before: `
      const fetchToken = async () => ({ access_token: 'token', expires_at: 1 });
      const [ca = ''] = rootCertificates;`,
    after: 'assert.equal(typeof kafka.admin, "function"); assert.equal(typeof tokens.admin, "function");',
  },
  'docs/security.md ts 1': { after: 'assert.equal(typeof strategy.listen, "function");' },
  'docs/security.md ts 2': {
    before: "const keys = { accessKeyId: 'key', secretAccessKey: 'secret' };",
    after: 'assert.equal(typeof kafka.admin, "function");',
  },
  'docs/testing.md ts 0': {
    imports: "import { MockKafka } from 'nestjs-kafka-native/testing';",
    after: 'assert.equal(kafka.brokers.length > 0, true);',
  },
  'docs/topics.md ts 0': { after: 'assert.equal(typeof strategy.listen, "function");' },
  'docs/topics.md ts 1': {
    after: 'assert.equal(connect.length + OrdersController.length, 1);',
  },
  'docs/transactions.md ts 0': {
    before: `${KAFKA} await prepare('orders', 'invoices');`,
    after: "await find('invoices', 'its invoice'); await producer.disconnect();",
  },
  'docs/transactions.md ts 1': {
    before: `
      ${KAFKA}
      await prepare('orders', 'invoices');
      const producer = kafka.producer({ transactionalId: 'billing-1', idempotent: true, maxInFlightRequests: 1 });
      await producer.connect();
      const invoiceOf = ({ value }: native.KafkaMessage): string => \`invoice for \${value}\`;`,
    after: `
      await send('orders', 'a sword');
      await find('invoices', 'invoice for a sword');
      await consumer.disconnect();
      await producer.disconnect();`,
  },
  'lib/nest/server/server-kafka.ts ts 0': { imports: NEST, before: MODULE },
  'lib/nest/client/client-kafka.ts ts 0': { imports: NEST },
  'lib/testing/mock-kafka.ts ts 0': { imports: NEST },
};
