import * as kafkajs from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { afterAll, beforeAll } from 'vitest';
import { BROKERS } from '../harness/broker';

export { same } from '../harness/same';

/** What both admin clients can do: ours has kafkajs's interface. */
export type EitherAdmin = kafkajs.Admin;

const options = {
  clientId: 'admin-tests',
  retry: { retries: 1, initialRetryTime: 50 },
  logLevel: kafkajs.logLevel.NOTHING,
};

/** An admin client of this package's, under kafkajs's types: an application that changes the import has those. */
export function nativeAdmin(brokers: readonly string[] = BROKERS): EitherAdmin {
  return new native.Kafka({ ...options, brokers: [...brokers] }).admin() as unknown as EitherAdmin;
}

/** kafkajs's own. */
export function stockAdmin(brokers: readonly string[] = BROKERS): EitherAdmin {
  return new kafkajs.Kafka({ ...options, brokers: [...brokers] }).admin();
}

/** Connected clients of both, for the tests of a file. */
export function connected(brokers: () => readonly string[] = () => BROKERS) {
  const clients = {} as { ours: EitherAdmin; stock: EitherAdmin };
  beforeAll(async () => {
    clients.ours = nativeAdmin(brokers());
    clients.stock = stockAdmin(brokers());
    await Promise.all([clients.ours.connect(), clients.stock.connect()]);
  });
  afterAll(async () => {
    await Promise.all([clients.ours?.disconnect(), clients.stock?.disconnect()]);
  });
  return clients;
}
