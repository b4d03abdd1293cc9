import { Controller, Get, Inject, Module, type OnModuleInit } from '@nestjs/common'
import { Client, ClientProxyFactory, ClientsModule, Transport, ClientOptions } from '@nestjs/microservices'
import { ClientKafka } from 'nestjs-kafka-native'

@Controller()
class HeroController implements OnModuleInit {
  @Client({
    customClass: ClientKafka,
    options: { client: { brokers: ['localhost:9092'] } },
  } as unknown as ClientOptions)
  readonly property!: ClientKafka

  constructor(@Inject('HERO') private readonly client: ClientKafka) {}

  async onModuleInit() {
    this.client.subscribeToResponseOf('hero')
    await this.client.connect()
  }

  @Get()
  ask() {
    return this.client.send('hero', {})
  }
}

@Module({
  imports: [
    ClientsModule.register([
      { name: 'HERO', customClass: ClientKafka, options: { consumer: { groupId: 'hero' } } },
      { name: 'OTHER', transport: Transport.TCP, options: { port: 4000 } },
    ]),
  ],
  providers: [
    {
      provide: 'MADE',
      useFactory: () =>
        ClientProxyFactory.create({
          customClass: ClientKafka,
          options: { producerOnlyMode: true },
        }),
    },
  ],
  controllers: [HeroController],
})
export class AppModule {}
