import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { type NestKafkaOptions, ServerKafka } from 'nestjs-kafka-native';

@Controller()
class GreeterController {
  @MessagePattern('greet')
  greet(@Payload() name: string) {
    return `Hello, ${name}`;
  }
}

@Module({ controllers: [GreeterController] })
// oxlint-disable-next-line no-extraneous-class -- what a Nest module is
class GreeterModule {}

/** The application under test. Its options come from outside: a test has other brokers than production. */
export async function startGreeter(options: NestKafkaOptions) {
  const app = await NestFactory.createMicroservice(GreeterModule, {
    strategy: new ServerKafka(options),
    logger: ['error'],
  });
  await app.listen();
  return app;
}
