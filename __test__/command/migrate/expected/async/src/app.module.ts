import { Inject, Injectable, Module } from '@nestjs/common';
import {
  ClientsModule,
  ClientsModuleOptionsFactory,
  CustomClientOptions,
} from '@nestjs/microservices';
import { ClientKafka } from 'nestjs-kafka-native';

@Injectable()
export class ConfigService {
  get(name: string): string {
    return process.env[name] ?? '';
  }
}

@Injectable()
class KafkaConfig implements ClientsModuleOptionsFactory {
  createClientOptions(): CustomClientOptions {
    return {
      customClass: ClientKafka,
      options: { producerOnlyMode: true },
    };
  }
}

@Injectable()
class Heroes {
  constructor(@Inject('HERO') readonly client: ClientKafka) {}
}

@Module({
  imports: [
    ClientsModule.registerAsync([
      {
        name: 'HERO',
        useFactory: async (config: ConfigService) => ({
          customClass: ClientKafka,
          options: {
            client: { brokers: config.get('BROKERS').split(',') },
          },
        }),
        inject: [ConfigService],
        extraProviders: [ConfigService],
      },
      { name: 'EVENTS', useClass: KafkaConfig },
    ]),
  ],
  providers: [Heroes, ConfigService],
  exports: [ConfigService],
})
export class AppModule {}
