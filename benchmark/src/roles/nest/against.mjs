import { ClientProxyFactory } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native-against';

export function microserviceOptions(options) {
  return { strategy: new ServerKafka(options) };
}

export function createClient(options) {
  return ClientProxyFactory.create({ customClass: ClientKafka, options });
}
