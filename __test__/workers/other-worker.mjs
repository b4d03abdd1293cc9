// The worker of another application: its handlers are not those of the server.
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { serveKafkaWorker } from 'nestjs-kafka-native/worker';

class Other {
  event() {}
}
EventPattern('other.events')(
  Other.prototype,
  'event',
  Object.getOwnPropertyDescriptor(Other.prototype, 'event'),
);
Controller()(Other);
class OtherModule {}
Module({ controllers: [Other] })(OtherModule);

await serveKafkaWorker((strategy) =>
  NestFactory.createMicroservice(OtherModule, { strategy, logger: false }),
);
