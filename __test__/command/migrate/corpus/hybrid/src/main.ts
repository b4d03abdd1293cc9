import { NestFactory } from '@nestjs/core'
import { KafkaOptions, Transport, type TcpOptions } from '@nestjs/microservices'
import { AppModule } from './app.module'

const options = { client: { brokers: ['localhost:9092'] }, consumer: { groupId: 'hero' } }

const kafka: KafkaOptions = { transport: Transport.KAFKA, options }
const tcp: TcpOptions = { transport: Transport.TCP, options: { port: 4000 } }

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(AppModule)
  app.connectMicroservice<KafkaOptions>(kafka, { inheritAppConfig: true })
  app.connectMicroservice(tcp)
  app.connectMicroservice<KafkaOptions>({ transport: Transport.KAFKA, options: { consumer: { groupId: 'other' } } })
  await app.startAllMicroservices()
  await app.listen(3000)
}

void bootstrap()
