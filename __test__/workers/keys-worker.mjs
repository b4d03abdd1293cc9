import { NestFactory } from '@nestjs/core';
import { serveKafkaWorker } from 'nestjs-kafka-native/worker';
import { applicationOf } from './keys-application.mjs';

const AppModule = applicationOf(process.env.WORKERS_TEST_TOPIC);

await serveKafkaWorker((strategy) => NestFactory.createMicroservice(AppModule, { strategy, logger: false }));
