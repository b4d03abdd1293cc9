import { KafkaOptions, ServerKafka, Transport } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { ClientsModule } from '@nestjs/microservices';

/** Used for both. */
export const both: KafkaOptions = { transport: Transport.KAFKA, options: {} };

export const unused = { transport: Transport.KAFKA, options: {} };

export const isKafka = (transport: Transport): boolean => transport === Transport.KAFKA;

declare const base: KafkaOptions;

export class Own extends ServerKafka {}

class AppModule {}
export const clients = ClientsModule.register([{ name: 'A', ...both }]);
export const app = NestFactory.createMicroservice(AppModule, both);
export const spread = NestFactory.createMicroservice(AppModule, { ...base, transport: Transport.KAFKA });
