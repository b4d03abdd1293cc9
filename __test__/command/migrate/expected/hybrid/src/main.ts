import { NestFactory } from '@nestjs/core'
import { Transport, type TcpOptions, CustomStrategy, MicroserviceOptions } from '@nestjs/microservices'
import { ServerKafka } from 'nestjs-kafka-native'
import { AppModule } from './app.module'

const options = { client: { brokers: ['localhost:9092'] }, consumer: { groupId: 'hero' } }

const kafka: CustomStrategy = { strategy: new ServerKafka(options) }
const tcp: TcpOptions = { transport: Transport.TCP, options: { port: 4000 } }

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(AppModule)
  app.connectMicroservice<MicroserviceOptions>(kafka, { inheritAppConfig: true })
  app.connectMicroservice(tcp)
  app.connectMicroservice<MicroserviceOptions>({ strategy: new ServerKafka({ consumer: { groupId: 'other' } }) })
  await app.startAllMicroservices()
  await app.listen(3000)
}

void bootstrap()
