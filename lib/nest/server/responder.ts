import type { Serializer } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { OutgoingBuffer, OutgoingRecord } from '../../codec/outgoing.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { HandlerTimeouts } from '../../runner/handler-watch.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { DueIn, ItemsHandler, RecordHandler } from '../../runner/record-handler.js';
import type { RecordTransactions } from '../../runner/record-transactions.js';
import type { TopicHandling } from '../../runner/topic-handling.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import type { KafkaHandlerOptions, NestKafkaOptions } from '../options/index.js';
import { noticeDeadLetter } from './dead-letter-notice.js';
import { FailurePolicies } from './failure-policies.js';
import { originalError } from './original-errors.js';
import type { RequestOwner } from './record-end.js';
import type { Retries } from './retries.js';
import type { SafeSend } from './retry-writer.js';
import type { DeliveryTransaction } from './transactions/handler-transaction.js';
import { ReplyWriter, type ReplyPacket } from './reply-writer.js';

/** A consumer of the server with the producer of the replies to its requests. */
export interface Responder {
  readonly consumer: Consumer;
  /** The producer of its replies, dead letters and retries. */
  readonly producer: Producer;
  readonly replies: ReplyWriter;
  /** What finishing requests needs. */
  readonly requests: RequestOwner;
}

/** Options of a responder. */
export interface ResponderParts {
  readonly client: Kafka;
  readonly options: NestKafkaOptions;
  readonly groupId: string;
  readonly clientId: string;
  readonly serializer: Serializer;
  /** Whether the serializer is NestJS's own. */
  readonly serializesItself: boolean;
  /** NestJS's `Server.send`. */
  readonly send: (stream$: Observable<unknown>, respond: (packet: ReplyPacket) => Promise<void>) => void;
  readonly handleRecord: RecordHandler;
  /** Handles several records at once. */
  readonly handleItems?: ItemsHandler;
  /** How the records of a topic are handled; by default one after the other in each partition. */
  readonly handling?: (topic: string) => TopicHandling | undefined;
  /** The options of a record's handler. */
  readonly optionsOf: (
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ) => KafkaHandlerOptions | undefined;
  readonly handlerTimeouts: HandlerTimeouts | undefined;
  readonly retries: Retries | undefined;
  /** How long a record has to wait until it is due, in milliseconds. */
  readonly dueIn?: DueIn | undefined;
  /** Provides the transactions of transactional handlers. */
  readonly transactions?: RecordTransactions | undefined;
  readonly logger: GuardedLogger;
}

/** What a responder has of its own, of those of a server. */
export interface OwnParts extends Partial<
  Pick<ResponderParts, 'options' | 'handleItems' | 'handling' | 'transactions' | 'dueIn'>
> {
  /** The topic whose handler a record is for. Default: the one that it is in. */
  readonly topicOf?: (task: PartitionTask, batch: IncomingBatch, index: number) => string;
}

/** Handles the records of a partition one after the other, whatever the options of `run` are. */
const IN_ORDER: TopicHandling = {
  concurrency: { order: 'partition', max: 1, window: 1 },
  isManual: false,
};

/** Creates a consumer, the producer of its replies and their shared parts, without connecting. */
export function makeResponder(parts: ResponderParts): Responder {
  const { client, options, groupId, serializer, serializesItself, handleRecord, retries } = parts;
  const sendOptions = options.send ?? {};
  const producer = client.producer(options.producer, {
    timeout: sendOptions.timeout,
    startOver: (where) => consumer.startOver(where),
  });
  // Kept, because a handler that outlives close() still writes its replies, which are dropped then.
  let outgoing: OutgoingBuffer | undefined;
  const channel = (): OutgoingBuffer => (outgoing ??= producer.channel(sendOptions).outgoing);
  const replies = new ReplyWriter(channel, serializer, serializesItself, () => producer.origin());
  const complete = (assignment: number, sequence: number, count: number): void =>
    consumer.complete(assignment, sequence, count);
  const sendCopy = safeSend(producer, options);
  const policies = new FailurePolicies(options, {
    sendCopy,
    send: (topic, record, task) => {
      const transaction = task.delivery?.transaction as DeliveryTransaction | undefined;
      return transaction?.write(topic, record) ?? sent(sendCopy, topic, record);
    },
    reply: (assignment, batch, index, packet) => replies.write(assignment, batch, index, packet),
    moved: (task, batch, index, letter) =>
      noticeDeadLetter({ groupId, clientId: parts.clientId }, task, batch, index, letter),
    complete: (assignment, sequence) => complete(assignment, sequence, 0),
    retries,
    logger: parts.logger,
  });
  const consumer = client.consumer(
    { ...options.consumer, groupId },
    {
      handleRecord,
      originalError,
      ...(parts.handleItems && { handleItems: parts.handleItems }),
      dueIn: parts.dueIn,
      transactions: parts.transactions,
      handling: parts.handling ?? (() => IN_ORDER),
      failurePolicy: (task, batch, index) => policies.of(parts.optionsOf(task, batch, index)),
      handlerTimeouts: parts.handlerTimeouts,
      ...(retries && { matched: (topics: string[]) => retries.without(topics) }),
      created: (native) => producer.attach(native, sendOptions),
    },
  );
  const requests: RequestOwner = {
    reply: (assignment, batch, index, packet) => replies.write(assignment, batch, index, packet),
    send: parts.send,
    complete,
  };
  return { consumer, producer, replies, requests };
}

/** Sends records so that all in-sync replicas have them, whatever the option `acks` is. */
function safeSend(producer: Producer, { send }: NestKafkaOptions): SafeSend {
  const options = { ...send, acks: -1 };
  return (topic, record, done) => producer.dispatch(topic, [record], options, done, 'dead-letter');
}

/** Resolves when the record is sent. */
function sent(send: SafeSend, topic: string, record: OutgoingRecord): Promise<void> {
  return new Promise((resolve, reject) => {
    send(topic, record, (error) => (error ? reject(error) : resolve()));
  });
}
