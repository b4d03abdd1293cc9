import * as kafkajs from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { afterAll, beforeAll, expect } from 'vitest';
import { BROKERS } from '../harness/broker';
import { plain } from '../harness/plain';

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

/** What a call resolves with, or all that an application can read off its error. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return plain(await call);
  } catch (error) {
    return { rejected: picture(error) };
  }
}

function picture(error: unknown): unknown {
  const { name, message, type, code, retriable, topic, errors, groups, partitions } = error as Record<
    string,
    unknown
  >;
  const inner = (list: unknown): unknown =>
    Array.isArray(list)
      ? list.map((item: unknown) => {
          if (item instanceof Error) return picture(item);
          const { error: nested, ...rest } = item as { error?: unknown };
          return nested === undefined ? rest : { ...rest, error: picture(nested) };
        })
      : undefined;
  return plain({
    name,
    message,
    type,
    code,
    retriable,
    topic,
    errors: inner(errors),
    groups: inner(groups),
    partitions: inner(partitions),
  });
}

/** Makes the same call with both clients, one after the other, and expects the same outcome, which it returns. */
export async function same(
  { ours, stock }: { ours: EitherAdmin; stock: EitherAdmin },
  call: (admin: EitherAdmin) => Promise<unknown>,
): Promise<unknown> {
  const expected = await outcomeOf(call(stock));
  const found = await outcomeOf(call(ours));
  expect(found).toEqual(expected);
  return found;
}
