import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, type KafkaContext, Payload } from '@nestjs/microservices';
import { ServerKafka, type KafkaContext as NativeContext, type NestKafkaOptions } from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { listen, optionsFor } from './apps';
import { closeBroker, rawProducer, unique } from './broker';
import { header, Tap, type RawRecord } from './tap';
import { openGates } from './wait';

/** Closed after each test. */
export const open: { close(): Promise<unknown> }[] = [];
/** A back-off that tests need not wait for. */
export const QUICK = { initialRetryTime: 20, maxRetryTime: 100 };
/** The topic of the running test, and its dead-letter topic. */
export let topic = '';
export let dead = '';

/** Registers hooks that give each test of a file its topics and close what it has opened. */
export function deadLetterTests(): void {
  beforeEach(() => {
    topic = unique('dlt');
    dead = `${topic}.DLT`;
  });

  afterEach(async () => {
    openGates();
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  afterAll(closeBroker);
}

export class OutOfStock extends Error {}

/** A delivery as the handler saw it: the value and which attempt it was. */
export type Seen = [value: unknown, attempt: string];

/** The number of the handler's delivery. */
export function attemptOf(context: KafkaContext): string {
  return String((context as NativeContext).getDeliveryAttempt());
}

/** A controller with a handler of the topic's events. */
export function events(handle: (data: any, context: KafkaContext) => unknown, seen: Seen[] = []): Type {
  @Controller()
  class Events {
    @EventPattern<string>(topic)
    event(@Payload() data: unknown, @Ctx() context: KafkaContext): unknown {
      seen.push([data, attemptOf(context)]);
      return handle(data, context);
    }
  }
  return Events;
}

/** Starts a server with dead letters, a short back-off, and controllers. */
export async function serve(
  controllers: Type[],
  deadLetter: NestKafkaOptions['deadLetter'] = {},
  extra: NestKafkaOptions = {},
): Promise<{ close(): Promise<void> }> {
  const options = { subscribe: { fromBeginning: true }, ...optionsFor(topic, extra as object) };
  const server = new ServerKafka({
    ...(options as NestKafkaOptions),
    deadLetter: { backoff: QUICK, ...deadLetter },
  });
  const running = await listen(server as never, controllers);
  open.push(running);
  return running;
}

/** Reads topics from their beginning. */
export async function tap(...topics: string[]): Promise<Tap> {
  const created = await Tap.on(topics);
  open.push(created);
  return created;
}

/** Writes values to the topic. */
export async function write(...values: string[]): Promise<void> {
  await (await rawProducer()).send({ topic, messages: values.map((value) => ({ value })) });
}

/** Fails on data that starts with `bad`. */
export function fail(data: unknown): void {
  if (String(data).startsWith('bad')) throw new OutOfStock(`no ${String(data)}`);
}

/** The values in the dead-letter topic, once there are `count`. */
export async function deadOnes(reader: Tap, count: number, where = dead): Promise<(string | null)[]> {
  const records = await reader.read(where, count);
  return records.map(({ value }) => value);
}

/** The exception's class in a dead letter's headers. */
export function name(record: RawRecord | undefined): string | undefined {
  return record && header(record, 'kafka_dlt-exception-fqcn');
}
