// An application's test, for the runner of Node.js: a server and a client on the embedded broker, closed in the end.

require('reflect-metadata');
const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Controller, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { MessagePattern, Payload } = require('@nestjs/microservices');
const { ClientKafka, ServerKafka } = require('nestjs-kafka-native');
const { MockKafka } = require('nestjs-kafka-native/testing');
const { firstValueFrom } = require('rxjs');

class Heroes {
  greet(name) {
    return `Hail ${name}`;
  }
}
Controller()(Heroes);
MessagePattern('greet')(
  Heroes.prototype,
  'greet',
  Object.getOwnPropertyDescriptor(Heroes.prototype, 'greet'),
);
Payload()(Heroes.prototype, 'greet', 0);
class AppModule {}
Module({ controllers: [Heroes] })(AppModule);

let mock;
let app;
let client;

before(async () => {
  mock = MockKafka.start({ topics: { greet: 1, 'greet.reply': 1 } });
  const options = {
    client: { brokers: mock.brokers },
    consumer: { ...MockKafka.consumerOptions, groupId: 'heroes' },
  };
  app = await NestFactory.createMicroservice(AppModule, {
    strategy: new ServerKafka(options),
    logger: false,
  });
  await app.listen();
  client = new ClientKafka(options);
  client.subscribeToResponseOf('greet');
  await client.connect();
});

after(async () => {
  await client.close();
  await app.close();
  await mock.stop();
});

test('a request is answered', async () => {
  assert.equal(await firstValueFrom(client.send('greet', 'Siegfried')), 'Hail Siegfried');
});
