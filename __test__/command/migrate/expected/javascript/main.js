'use strict';

const { NestFactory } = require('@nestjs/core');
const { ClientsModule } = require('@nestjs/microservices');
const { ClientKafka, ServerKafka } = require('nestjs-kafka-native');
const { Kafka, logLevel } = require('nestjs-kafka-native/kafka');

const clients = ClientsModule.register([
  { name: 'A', customClass: ClientKafka, options: { producerOnlyMode: true } },
]);

class AppModule {}
Reflect.decorate && Reflect.defineMetadata('imports', [clients], AppModule);

async function main() {
  const kafka = new Kafka({ brokers: ['localhost:9092'], logLevel: logLevel.ERROR });
  await kafka.admin().connect();
  const app = await NestFactory.createMicroservice(AppModule, {
    strategy: new ServerKafka({ consumer: { groupId: 'a' } }),
  });
  await app.listen();
}

main();
