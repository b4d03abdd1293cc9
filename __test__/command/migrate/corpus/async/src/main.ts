import { NestFactory } from '@nestjs/core';
import { AsyncMicroserviceOptions, MicroserviceOptions, Transport } from '@nestjs/microservices';
import { AppModule, ConfigService } from './app.module';

function kafkaOptions(config: ConfigService): MicroserviceOptions {
  const brokers = config.get('BROKERS').split(',');
  return { transport: Transport.KAFKA, options: { client: { brokers } } };
}

async function bootstrap() {
  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
    useFactory: (config: ConfigService) => {
      return {
        transport: Transport.KAFKA,
        options: { client: { brokers: [config.get('BROKER')] } },
      };
    },
    inject: [ConfigService],
  });
  const hybrid = await NestFactory.create(AppModule);
  hybrid.connectMicroservice(kafkaOptions(hybrid.get(ConfigService)));
  await app.listen();
}
void bootstrap();
