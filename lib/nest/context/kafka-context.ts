import { KafkaContext as NestKafkaContext } from '@nestjs/microservices';
import { KafkaJSNonRetriableError } from '../../kafkajs/errors/index.js';
import type { HandlerTransaction } from '../server/transactions/handler-transaction.js';
import { delayOf, PackedContext, type NackOptions } from './packed-context.js';

type ContextArgs = ConstructorParameters<typeof NestKafkaContext>[0];

/** NestJS's `KafkaContext`, and what this transport adds to it. */
export interface KafkaContext extends NestKafkaContext {
  /**
   * Which delivery of the message this is: 1 for the first, 2 for the one after the first failure. Deliveries are counted in memory;
   * after a restart, or when another member of the group has taken the partition, the count begins again at 1. In a retry topic
   * (`deadLetter.retryTopics`) the message says how many came before.
   */
  getDeliveryAttempt(): number;
  /**
   * Has the message come again after `delay` milliseconds (0 by default), which counts as a delivery. What keeps its order with it waits:
   * its partition, or with `kafka.concurrency` its key, or nothing. While the handler runs, that begins when it has ended, whatever it
   * answers. With `ack: 'manual'` also later.
   *
   * @returns false, and nothing is done, when the message was acknowledged or refused before, or its partition is gone.
   */
  nack(options?: NackOptions): boolean;
  /**
   * With `kafka: { ack: 'manual' }`: the message counts as finished.
   *
   * @returns false, and nothing is done, when the message was acknowledged or refused before, or its partition is gone.
   * @throws KafkaJSNonRetriableError without `ack: 'manual'`.
   */
  ack(): boolean;
  /**
   * With `kafka: { transactional: true }`: what the handler sends by, so that it becomes visible together with the offset of the message,
   * or not at all.
   *
   * @throws KafkaJSNonRetriableError without `transactional: true`.
   */
  getTransaction(): HandlerTransaction;
}

/** NestJS's class itself, so that `instanceof` and decorators see the same as with an import from `@nestjs/microservices`. */
export const KafkaContext: {
  /** Made by the transport, for each message; a test may make one of its own. */
  new (args: ContextArgs): NestKafkaContext;
  /** What handlers get. */
  readonly prototype: KafkaContext;
} = NestKafkaContext as never;

/** What the handler of one message gets. */
export class PackedKafkaContext extends PackedContext implements KafkaContext {
  nack(options?: NackOptions): boolean {
    return this.nackFirst(delayOf(options));
  }

  ack(): boolean {
    return this.ackFirst();
  }

  getTransaction(): HandlerTransaction {
    const { transaction } = this;
    if (transaction !== undefined) return transaction as HandlerTransaction;
    throw new KafkaJSNonRetriableError(
      `getTransaction() without a transaction: the handler of ${this.getTopic()} is not transactional. Give it the option kafka: { transactional: true }, and the server transactions: { idPrefix }`,
    );
  }
}
