'use strict';

const { NestFactory } = require('@nestjs/core');
const { Transport, ClientsModule } = require('@nestjs/microservices');
const { Kafka, logLevel } = require('kafkajs');

const clients = ClientsModule.register([
  { name: 'A', transport: Transport.KAFKA, options: { producerOnlyMode: true } },
]);

class AppModule {}
Reflect.decorate && Reflect.defineMetadata('imports', [clients], AppModule);

async function main() {
  const kafka = new Kafka({ brokers: ['localhost:9092'], logLevel: logLevel.ERROR });
  await kafka.admin().connect();
  const app = await NestFactory.createMicroservice(AppModule, {
    options: { consumer: { groupId: 'a' } },
    transport: Transport.KAFKA,
  });
  await app.listen();
}

main();
