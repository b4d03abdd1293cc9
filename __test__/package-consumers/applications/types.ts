// What an application writes, for the compiler only.
import 'nestjs-kafka-native/register';
import { Inject, Module } from '@nestjs/common';
import {
  ClientProxy,
  ClientProxyFactory,
  ClientsModule,
  Server,
  type ClientKafkaProxy,
  type CustomTransportStrategy,
  type KafkaOptions,
  type MicroserviceOptions,
  type KafkaContext,
} from '@nestjs/microservices';
import {
  ClientKafka,
  CompressionTypes,
  type Consumer,
  Kafka,
  KafkaContext as OurContext,
  KafkaJSError,
  type NestKafkaOptions,
  type Producer,
  ServerKafka,
} from 'nestjs-kafka-native';
import type { Observable } from 'rxjs';

// Options written for Nest's own transport.
const options: NonNullable<KafkaOptions['options']> = {
  client: { brokers: ['localhost:9092'], clientId: 'hero', ssl: true },
  consumer: { groupId: 'heroes', sessionTimeout: 30_000 },
  producer: { allowAutoTopicCreation: false },
  send: { compression: CompressionTypes.GZIP, acks: -1 },
  run: { partitionsConsumedConcurrently: 4 },
  subscribe: { fromBeginning: true },
};
export const ours: NestKafkaOptions = options;
export const server = new ServerKafka(options);
export const client = new ClientKafka(options);

export const strategy: CustomTransportStrategy = server;
export const microservice: MicroserviceOptions = { strategy: server };
// The type of `status` is narrower than the base's default, as stock's is.
export const bases: [Server<any, any>, ClientProxy<any, any>] = [server, client];
export const created: ClientProxy = ClientProxyFactory.create({ customClass: ClientKafka, options: ours });
export const context = (given: OurContext): KafkaContext => given;
export const attempt = (given: OurContext): number => given.getDeliveryAttempt();
export const driver: Kafka = new Kafka({ brokers: ['localhost:9092'] });
export const parts: [Consumer, Producer] = [client.consumer, client.producer];
export const reply: Observable<number> = client.send<number>('sum', [1, 2]);
export const code = (error: unknown): boolean => error instanceof KafkaJSError && error.retriable;

// @ts-expect-error a broker is a string
export const wrongBroker: NestKafkaOptions = { client: { brokers: [9092] } };
// @ts-expect-error there is no such option
export const wrongOption = new ServerKafka({ nonsense: true });

@Module({ imports: [ClientsModule.register([{ name: 'HERO', customClass: ClientKafka, options: ours }])] })
export class AppModule {
  constructor(@Inject('HERO') readonly hero: ClientKafka) {
    const proxy: Pick<ClientKafkaProxy, 'send' | 'emit' | 'subscribeToResponseOf' | 'connect' | 'close'> =
      hero;
    void proxy;
  }
}
