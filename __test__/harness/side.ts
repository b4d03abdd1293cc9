import type { ClientKafka } from '@nestjs/microservices';
import type { RunningServer } from './apps';
import { endOffsets } from './broker';
import { outcome } from './outcome';
import { plain, replaceText } from './plain';
import { header, type RawRecord, type Tap } from './tap';
import type { Kind } from './transports';
import { until } from './wait';

/** Which transport is at either end. */
export interface Combination {
  client: Kind;
  server: Kind;
}

export const ALL: Combination[] = [
  { client: 'stock', server: 'stock' },
  { client: 'stock', server: 'native' },
  { client: 'native', server: 'stock' },
  { client: 'native', server: 'native' },
];

/** For scenarios that only a server, or only a client, takes part in. */
export const SERVERS = ALL.filter(({ client }) => client === 'stock');
export const CLIENTS = ALL.filter(({ server }) => server === 'stock');

/** One running combination: its topics, and what its handlers saw. */
export class Side {
  readonly name: string;
  private readonly seen: { topic: string; entry: unknown }[] = [];

  constructor(
    readonly combination: Combination,
    readonly prefix: string,
    private readonly parts: {
      client: () => Promise<ClientKafka>;
      /** Absent where the scenarios play the server themselves. */
      server?: () => Promise<RunningServer>;
      tap: () => Promise<Tap>;
    },
  ) {
    this.name = `${combination.client} → ${combination.server}`;
  }

  client(): Promise<ClientKafka> {
    return this.parts.client();
  }

  /** Resolves once this side's server listens. */
  async serverReady(): Promise<void> {
    await this.parts.server?.();
  }

  /** The full name of one of the scenario's topics in this combination. */
  topic(name: string): string {
    return `${this.prefix}.${name}`;
  }

  /** Called by handlers: records what a handler saw of a message on the topic. */
  see(topic: string, entry: unknown): void {
    this.seen.push({ topic: this.topic(topic), entry: this.picture(entry) });
  }

  /** What handlers saw on the topic, once there are `count` entries; these are then forgotten. */
  async take(topic: string, count: number): Promise<unknown[]> {
    const name = this.topic(topic);
    const mine = (): unknown[] => this.seen.filter((seen) => seen.topic === name).map(({ entry }) => entry);
    const entries = await until(`${name} was seen ${count} times`, () => mine().length >= count && mine());
    this.seen.splice(0, this.seen.length, ...this.seen.filter((seen) => seen.topic !== name));
    return entries;
  }

  /** Sends a request and returns a picture of everything the client saw. */
  async send(topic: string, data: unknown): Promise<unknown> {
    const client = await this.client();
    await this.serverReady();
    return this.picture(await outcome(client.send(this.topic(topic), data)));
  }

  /** Emits an event and returns a picture of what the client saw, offsets aside. */
  async emit(topic: string, data: unknown): Promise<unknown> {
    const client = await this.client();
    const emitted = await outcome(client.emit(this.topic(topic), data));
    return this.picture(emitted.ended === 'failed' ? emitted : { ended: emitted.ended });
  }

  /** All records on a topic now, without what differs from run to run. */
  async records(topic: string): Promise<unknown[]> {
    const records = await this.raw(topic);
    return records.map((record) => this.picture(comparable(record)));
  }

  /** All records on a topic now, as they are, in the order of partition and offset. */
  async raw(topic: string): Promise<RawRecord[]> {
    const ends = Object.values(await endOffsets(this.topic(topic)));
    const count = ends.reduce((sum, end) => sum + end, 0);
    const records = await (await this.parts.tap()).read(this.topic(topic), count);
    return records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  /** Resolves once the topic holds `count` records. */
  async hasRecords(topic: string, count: number): Promise<void> {
    await (await this.parts.tap()).read(this.topic(topic), count);
  }

  /** Whether replies carry the correlation ids of the requests, in order. */
  async correlated(topic: string): Promise<boolean> {
    const ids = async (name: string): Promise<(string | undefined)[]> =>
      (await this.raw(name)).map((record) => header(record, 'kafka_correlationId'));
    const [requests, replies] = await Promise.all([ids(topic), ids(`${topic}.reply`)]);
    return requests.every((id, index) => id !== undefined && id === replies[index]);
  }

  /** A JSON-able picture in which topics have their short names. */
  picture(value: unknown): unknown {
    return replaceText(plain(value), `${this.prefix}.`, '');
  }
}

function comparable({ partition, key, value, headers }: RawRecord): object {
  const steady = headers.map(([name, text]) => [name, name === 'kafka_correlationId' ? '<id>' : text]);
  return { partition, key, value, headers: steady };
}
