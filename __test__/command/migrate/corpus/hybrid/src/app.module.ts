import { Controller, Get, Inject, Module, type OnModuleInit } from '@nestjs/common'
import { Client, ClientKafka, ClientProxyFactory, ClientsModule, Transport } from '@nestjs/microservices'

@Controller()
class HeroController implements OnModuleInit {
  @Client({
    transport: Transport.KAFKA,
    options: { client: { brokers: ['localhost:9092'] } },
  })
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
      { name: 'HERO', transport: Transport.KAFKA, options: { consumer: { groupId: 'hero' } } },
      { name: 'OTHER', transport: Transport.TCP, options: { port: 4000 } },
    ]),
  ],
  providers: [
    {
      provide: 'MADE',
      useFactory: () =>
        ClientProxyFactory.create({
          transport: Transport.KAFKA,
          options: { producerOnlyMode: true },
        }),
    },
  ],
  controllers: [HeroController],
})
export class AppModule {}
