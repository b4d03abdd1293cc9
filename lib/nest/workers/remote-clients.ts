import { KafkaJSNonRetriableError } from '../../kafkajs/errors/index.js';
import { readMessage, refusedMessage, type OutgoingRecord } from '../../codec/message.js';
import type { OutgoingBuffer } from '../../codec/outgoing.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { PartitionTask } from '../../runner/partition-task.js';

/** What a worker's clients pass on to the server's. */
export interface RemotePorts {
  /** A reply to the record that has this number as its assignment. */
  reply(id: number, flags: number, record: OutgoingRecord, error: string | undefined): void;
  /** All replies to that record were sent. */
  complete(id: number, replies: number): void;
  /** A handler's heartbeat. */
  heartbeat(id: number): Promise<void>;
}

const nothing = async (): Promise<void> => undefined;

/**
 * Stands for the server's `Kafka` in a worker: a consumer and a producer that have no connection of their own. What they cannot
 * do is refused by name.
 */
export function remoteKafka(ports: RemotePorts): Kafka {
  const outgoing = { reply: replying(ports) };
  const producer = refusing('getProducer()', {
    connect: nothing,
    disconnect: nothing,
    retire: nothing,
    attach: () => undefined,
    origin: () => ({}),
    channel: () => ({ outgoing }),
  });
  const consumer = refusing('getConsumer()', {
    connect: nothing,
    disconnect: nothing,
    retire: nothing,
    untilClosed: async (closed: Promise<void>) => {
      await closed;
      return true;
    },
    heartbeat: ({ assignment }: PartitionTask) => ports.heartbeat(assignment),
    complete: (id: number, _sequence: number, replies: number) => ports.complete(id, replies),
    topics: () => [],
  });
  const kafka = {
    producer: () => producer as unknown as Producer,
    consumer: () => consumer as unknown as Consumer,
  };
  return refusing('unwrap()', kafka) as unknown as Kafka;
}

/** Writes a reply; it is checked here, where a refusal becomes an error reply. */
function replying({ reply }: RemotePorts): OutgoingBuffer['reply'] {
  return (id, _sequence, flags, record, error) => {
    const { key, value, headers, rawHeaders, partition, timestamp } = record;
    const sent: OutgoingRecord = { key, value, headers, partition, timestamp };
    if (rawHeaders !== undefined) sent.rawHeaders = rawHeaders;
    try {
      readMessage([], 0, sent);
    } catch (refusal) {
      throw refusedMessage(refusal);
    }
    reply(id, flags, sent, error);
  };
}

/** An object whose other members are functions that say what to do instead. */
function refusing<T extends object>(from: string, members: T): T {
  return new Proxy(members, {
    get(target, name, receiver) {
      // Promises and inspection ask every object for members that it does not have.
      if (name in target || typeof name === 'symbol' || name === 'then' || name === 'toJSON') {
        return Reflect.get(target, name, receiver) as unknown;
      }
      return () => {
        throw new KafkaJSNonRetriableError(
          `${name}() of ${from} is not possible in a worker thread, which has no connection to Kafka of its own. Inject a ClientKafka to send messages; what controls the consumer belongs to the thread of the server`,
        );
      };
    },
  });
}
