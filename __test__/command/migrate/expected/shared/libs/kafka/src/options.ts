import { CustomClientOptions, CustomStrategy } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';

const client = { brokers: ['localhost:9092'] };

/** For clients. */
export const clientOptions = (groupId: string): CustomClientOptions => ({
  customClass: ClientKafka,
  options: { client, consumer: { groupId } },
});

/** For servers. */
export const serverOptions: CustomStrategy = {
  strategy: new ServerKafka({ client, consumer: { groupId: 'orders' } }),
};
