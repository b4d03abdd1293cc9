import type { IncomingBatch } from '../../codec/incoming.js';
import { kafkaMessage } from '../../kafkajs/consumer/each-message.js';
import { deadLetters } from '../../kafkajs/instrumentation/channels.js';
import type { DeadLetterNotice, KafkaMessage } from '../../kafkajs/types/index.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { DeadLetter } from './dead-letter-writer.js';

/** A message that was dead-lettered. It is decoded when it is read. */
class Notice implements DeadLetterNotice {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly groupId: string;
  readonly clientId: string;
  readonly deadLetterTopic: string;
  readonly error: unknown;
  readonly attempts: number;
  readonly #batch: IncomingBatch;
  readonly #index: number;

  constructor(
    server: Pick<DeadLetterNotice, 'groupId' | 'clientId'>,
    { topic, partition }: PartitionTask,
    batch: IncomingBatch,
    index: number,
    letter: DeadLetter,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.offset = batch.offset(index);
    this.groupId = server.groupId;
    this.clientId = server.clientId;
    this.deadLetterTopic = letter.topic;
    this.error = letter.error;
    this.attempts = letter.attempt;
    this.#batch = batch;
    this.#index = index;
  }

  get message(): KafkaMessage {
    return kafkaMessage(this.#batch, this.#index);
  }
}

/** Publishes a dead letter to its subscribers. */
export function noticeDeadLetter(...about: ConstructorParameters<typeof Notice>): void {
  if (deadLetters.hasSubscribers) deadLetters.publish(new Notice(...about));
}
