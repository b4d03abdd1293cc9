import type { IHeaders, KafkaMessage } from 'kafkajs';
import { kafka, unique } from './broker';
import { DEADLINE_MS, until } from './wait';

/** A record as stored by the broker, bytes as latin1 text (lossless, readable). */
export interface RawRecord {
  topic: string;
  partition: number;
  offset: number;
  timestamp: number;
  key: string | null;
  value: string | null;
  /** Sorted by name; a repeated header occurs repeatedly, in its order. */
  headers: [name: string, value: string][];
}

/** How long reading may take: kafkajs waits for longer and longer where something has failed. */
const READ_MS = 2 * DEADLINE_MS;

/** A plain kafkajs consumer that collects every record of some topics from their beginning. */
export class Tap {
  private readonly records: RawRecord[] = [];
  private readonly consumer = kafka.consumer({ groupId: unique('tap'), maxWaitTimeInMs: 50 });

  static async on(topics: string[]): Promise<Tap> {
    const tap = new Tap();
    await tap.consumer.connect();
    await tap.consumer.subscribe({ topics, fromBeginning: true });
    await tap.consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        tap.records.push(rawRecord(topic, partition, message));
      },
    });
    return tap;
  }

  /** All records of a topic, once there are at least `count`. */
  read(topic: string, count: number): Promise<RawRecord[]> {
    const found = (): RawRecord[] => this.records.filter((record) => record.topic === topic);
    const what = () => `${topic} holds ${count} records, it has ${found().length}`;
    const all = () => {
      const records = found();
      return records.length >= count && records;
    };
    return until(what, all, READ_MS);
  }

  async close(): Promise<void> {
    await this.consumer.disconnect();
  }
}

/** The value of a header that occurs once. */
export function header(record: RawRecord, name: string): string | undefined {
  return record.headers.find(([found]) => found === name)?.[1];
}

function rawRecord(topic: string, partition: number, message: KafkaMessage): RawRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key ? message.key.toString('latin1') : null,
    value: message.value ? message.value.toString('latin1') : null,
    headers: rawHeaders(message.headers),
  };
}

function rawHeaders(headers: IHeaders | undefined): [string, string][] {
  const pairs = Object.entries(headers ?? {}).flatMap(([name, value]) =>
    [value].flat().map((item): [string, string] => [name, latin1(item)]),
  );
  return pairs.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

function latin1(value: Buffer | string | undefined): string {
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value);
}
