import * as microservices from '@nestjs/microservices';
import type { KafkaOptions } from '@nestjs/microservices';

/** The transport that comes with NestJS over kafkajs, or this package. */
export type Kind = 'stock' | 'native';

export type TransportOptions = Required<KafkaOptions>['options'];

/** The part of a transport that tests use, in NestJS's own types, which have to fit both transports. */
export interface Transport {
  ServerKafka: typeof microservices.ServerKafka;
  ClientKafka: typeof microservices.ClientKafka;
}

const PACKAGE = 'nestjs-kafka-native';

/** The classes of one side. A missing package or export is an error, never a skip. */
export async function transport(kind: Kind): Promise<Transport> {
  if (kind === 'stock') {
    return { ServerKafka: microservices.ServerKafka, ClientKafka: microservices.ClientKafka };
  }
  const native = (await import(PACKAGE)) as Partial<Transport>;
  const { ServerKafka, ClientKafka } = native;
  if (!ServerKafka || !ClientKafka) {
    throw new Error(`${PACKAGE} exports only ${Object.keys(native).join(', ')}`);
  }
  return { ServerKafka, ClientKafka };
}
