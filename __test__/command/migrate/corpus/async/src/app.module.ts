import { Inject, Injectable, Module } from '@nestjs/common';
import {
  ClientKafka,
  ClientOptions,
  ClientsModule,
  ClientsModuleOptionsFactory,
  Transport,
} from '@nestjs/microservices';

@Injectable()
export class ConfigService {
  get(name: string): string {
    return process.env[name] ?? '';
  }
}

@Injectable()
class KafkaConfig implements ClientsModuleOptionsFactory {
  createClientOptions(): ClientOptions {
    return {
      transport: Transport.KAFKA,
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
          transport: Transport.KAFKA,
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
