// Messages over KafkaJS or over this package with dd-trace, which tells an agent of them:
//
//   node datadog.cjs <stock|native> <prefix of topics> <brokers> <port of the agent>

const [kind, prefix, brokers, port] = process.argv.slice(2);
const tracer = require('dd-trace').init({
  url: `http://127.0.0.1:${port}`,
  service: 'datadog-test',
  flushInterval: 20,
  startupLogs: false,
  telemetry: { enabled: false },
  remoteConfig: { enabled: false },
});

require('reflect-metadata');
const { Controller, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const microservices = require('@nestjs/microservices');
const { firstValueFrom, lastValueFrom } = require('rxjs');
const { logLevel } = require('kafkajs');

const library =
  kind === 'native'
    ? require('nestjs-kafka-native')
    : {
        ...require('kafkajs'),
        ServerKafka: microservices.ServerKafka,
        ClientKafka: microservices.ClientKafka,
      };
const topic = (name) => `${prefix}.${name}`;
const inside = (name) => tracer.trace(`inside.${name}`, { resource: name }, () => undefined);
const retry = { initialRetryTime: 50, maxRetryTime: 100 };

async function until(what, probe) {
  const deadline = Date.now() + 30_000;
  while (!probe()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function main() {
  const kafka = new library.Kafka({ brokers: [brokers], clientId: 'dd', logLevel: logLevel.NOTHING, retry });
  const producer = kafka.producer();
  await producer.connect();
  const seen = { plain: 0, batch: 0, event: 0 };
  let failed = false;
  const consumers = [];
  for (const [name, config] of [
    [
      'plain',
      {
        eachMessage: async () => {
          await new Promise(setImmediate);
          inside('plain');
          if (!failed) {
            failed = true;
            throw new Error('once');
          }
          seen.plain++;
        },
      },
    ],
    ['batch', { eachBatch: async ({ batch }) => void (seen.batch += batch.messages.length) }],
  ]) {
    const consumer = kafka.consumer({ groupId: topic(name), maxWaitTimeInMs: 50, retry });
    consumers.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topics: [topic(name)], fromBeginning: true });
    await consumer.run(config);
  }
  await tracer.trace('caller', async () => {
    await producer.send({ topic: topic('plain'), messages: [{ key: 'k', value: 'v' }] });
    await producer.send({ topic: topic('batch'), messages: [{ value: '0' }, { value: '1' }] });
  });
  await until('all are handled', () => seen.plain === 1 && seen.batch === 2);

  class Handlers {
    answer(data) {
      inside('request');
      return { answer: data };
    }
    event() {
      inside('event');
      seen.event++;
    }
  }
  const describe = (name) => Object.getOwnPropertyDescriptor(Handlers.prototype, name);
  microservices.MessagePattern(topic('request'))(Handlers.prototype, 'answer', describe('answer'));
  microservices.EventPattern(topic('event'))(Handlers.prototype, 'event', describe('event'));
  microservices.Payload()(Handlers.prototype, 'answer', 0);
  Controller()(Handlers);
  class AppModule {}
  Module({ controllers: [Handlers] })(AppModule);
  const options = {
    client: { brokers: [brokers], clientId: 'dd', logLevel: logLevel.NOTHING },
    consumer: { groupId: topic('nest'), maxWaitTimeInMs: 50 },
    subscribe: { fromBeginning: true },
  };
  const app = await NestFactory.createMicroservice(AppModule, {
    strategy: new library.ServerKafka(options),
    logger: false,
  });
  await app.listen();
  const client = new library.ClientKafka(options);
  client.subscribeToResponseOf(topic('request'));
  await client.connect();
  await until('it has its partition', () => Object.keys(client.getConsumerAssignments()).length === 1);
  await tracer.trace('caller', async () => {
    await lastValueFrom(client.emit(topic('event'), 'e'));
    await firstValueFrom(client.send(topic('request'), 'q'));
  });
  await until('the event is handled', () => seen.event === 1);
  for (const one of [client, app]) await one.close();
  for (const one of [...consumers, producer]) await one.disconnect();
  // Its exporter flushes by its own clock.
  setTimeout(() => process.exit(), 1500);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`, () => process.exit(1));
});
