import type { IHeaders, KafkaMessage } from '../../kafkajs/types/index.js';

/** Headers about a failure, which are left out of a replayed message so that its deliveries are counted afresh. */
const OF_FAILURES = /^(kafka_dlt-|kafka_exception-|kafka_original-|retry_topic-)/;
/** Header with the number of times a message has been replayed, to stop endless loops. */
export const REPLAYS = 'nestjs-kafka-native-replays';

/** A message in a dead-letter topic, with the data of its headers: this package's, or Spring Kafka's. */
export interface Letter {
  readonly partition: number;
  readonly message: KafkaMessage;
  /** The class of the error. */
  readonly cause: string;
  readonly reason: string;
  /** Where it came from; undefined if no header says so. */
  readonly origin:
    { readonly topic: string; readonly partition?: number; readonly offset?: string } | undefined;
  /** How often it has been replayed. */
  readonly replays: number;
}

/** Reads a letter's headers. */
export function letterOf(partition: number, message: KafkaMessage): Letter {
  const headers = message.headers ?? {};
  const told = (...names: string[]): Buffer | undefined =>
    names.map((name) => lastOf(headers, name)).find((value) => value !== undefined);
  const topic = told('kafka_dlt-original-topic', 'kafka_original-topic')?.toString();
  const place = numberOf(told('kafka_dlt-original-partition', 'kafka_original-partition'));
  const offset = numberOf(told('kafka_dlt-original-offset', 'kafka_original-offset'));
  return {
    partition,
    message,
    cause: told('kafka_dlt-exception-fqcn', 'kafka_exception-fqcn')?.toString() ?? 'unknown',
    reason: told('kafka_dlt-exception-message', 'kafka_exception-message')?.toString() ?? '',
    origin: topic
      ? {
          topic,
          ...(place === undefined ? {} : { partition: Number(place) }),
          ...(offset === undefined ? {} : { offset: String(offset) }),
        }
      : undefined,
    replays: Number(numberOf(lastOf(headers, REPLAYS)) ?? 0),
  };
}

/** The headers of a letter's copy: the message's own, byte for byte, and the number of replays. */
export function replayedHeaders({ message, replays }: Letter): IHeaders {
  const own = Object.entries(message.headers ?? {}).filter(
    ([name]) => !OF_FAILURES.test(name) && name !== REPLAYS,
  );
  return { ...Object.fromEntries(own), [REPLAYS]: String(replays + 1) };
}

/** The last value of a header, as bytes. */
export function lastOf(headers: IHeaders, name: string): Buffer | undefined {
  if (!Object.hasOwn(headers, name)) return undefined;
  const value = [headers[name]].flat().at(-1);
  return value === undefined || value === null ? undefined : Buffer.from(value);
}

/** A number: text, as this package writes it, or big-endian bytes, as Spring Kafka does. */
function numberOf(value: Buffer | undefined): bigint | undefined {
  if (value === undefined || value.length === 0) return undefined;
  const text = value.toString('latin1');
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text);
  return value.length <= 8
    ? BigInt.asIntN(value.length * 8, BigInt(`0x${value.toString('hex')}`))
    : undefined;
}
