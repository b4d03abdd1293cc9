import type { IncomingBatch } from '../../codec/incoming.js';
import type { KafkaMessage, TopicPartition, TracedProcess } from '../types/index.js';
import { kafkaMessage } from './each-message.js';

/** The consumer whose messages are traced. */
export type ProcessIdentity = Pick<TracedProcess, 'groupId' | 'clientId' | 'clusterId'>;

/** The tracing context of a message, for a handler or a request's reply. The message is decoded when it is read. */
export class ProcessContext implements TracedProcess {
  readonly topic: string;
  readonly partition: number;
  readonly groupId: string;
  readonly clientId: string;
  readonly clusterId: string | undefined;
  readonly attempt: number;
  readonly isReply: boolean;
  handlerError?: unknown;
  error?: unknown;
  result?: unknown;
  readonly #batch: IncomingBatch;
  readonly #index: number;
  #message: KafkaMessage | undefined;

  constructor(
    { groupId, clientId, clusterId }: ProcessIdentity,
    { topic, partition }: TopicPartition,
    batch: IncomingBatch,
    index: number,
    { attempt = 1, isReply = false } = {},
  ) {
    this.topic = topic;
    this.partition = partition;
    this.groupId = groupId;
    this.clientId = clientId;
    this.clusterId = clusterId;
    this.attempt = attempt;
    this.isReply = isReply;
    this.#batch = batch;
    this.#index = index;
  }

  get offset(): string {
    return this.#batch.offset(this.#index);
  }

  get message(): KafkaMessage {
    return (this.#message ??= kafkaMessage(this.#batch, this.#index));
  }
}
