import { KafkaContext as NestKafkaContext } from '@nestjs/microservices';
import { KafkaJSNonRetriableError } from '../../kafkajs/errors/index.js';
import type { HandlerTransaction } from '../server/transactions/handler-transaction.js';
import { delayOf, PackedContext, type NackOptions } from './packed-context.js';
import { speaking, Verdict, VERDICT, type Said } from './verdict.js';

type ContextArgs = ConstructorParameters<typeof NestKafkaContext>[0];

/** NestJS's `KafkaContext` with the additions of this transport. */
export interface KafkaContext extends NestKafkaContext {
  /**
   * Which delivery of the message this is: 1 for the first, 2 for the one after the first failure. Deliveries are
   * counted in memory; after a restart, or when the partition has moved to another member, the count begins at 1
   * again. In a retry topic (`deadLetter.retryTopics`) earlier deliveries are counted in the message's headers.
   */
  getDeliveryAttempt(): number;
  /**
   * Refuses the message: it is redelivered after `delay` milliseconds (0 by default), which counts as a delivery.
   * Messages that keep their order with it wait: those of its partition or, with `kafka.concurrency`, of its key, or
   * none. Called in a running handler, it takes effect when the handler has ended, whatever that returns; a request is
   * answered by its next delivery then. With `ack: 'manual'` it may also be called later: several messages that are
   * refused come again in their order.
   *
   * @returns false, and nothing is done, when the message was acknowledged or refused before, or its partition is gone.
   */
  nack(options?: NackOptions): boolean;
  /**
   * With `kafka: { ack: 'manual' }`: acknowledges the message, which is finished then.
   *
   * @returns false, and nothing is done, when the message was acknowledged or refused before, or its partition is gone.
   * @throws KafkaJSNonRetriableError without `ack: 'manual'`.
   */
  ack(): boolean;
  /**
   * With `kafka: { transactional: true }`: the transaction to send with. Its messages and the offset of the handled
   * message are committed together, or not at all.
   *
   * @throws KafkaJSNonRetriableError without `transactional: true`.
   */
  getTransaction(): HandlerTransaction;
}

/** NestJS's class itself, so that `instanceof` and decorators work as with an import from `@nestjs/microservices`. */
export const KafkaContext: {
  /** Created by the transport for each message; tests may create their own. */
  new (args: ContextArgs): NestKafkaContext;
  /** The type of handlers' contexts. */
  readonly prototype: KafkaContext;
} = NestKafkaContext as never;

/** The verdicts that somebody has asked for. */
const verdicts = new WeakMap<PackedKafkaContext, Verdict>();

/** The context of a handler of single messages. */
export class PackedKafkaContext extends PackedContext implements KafkaContext {
  nack(options?: NackOptions): boolean {
    const delay = delayOf(options);
    this.#say('refused');
    return this.nackFirst(delay);
  }

  ack(): boolean {
    const isAcked = this.ackFirst();
    this.#say('acked');
    return isAcked;
  }

  #say(said: Said): void {
    (speaking(this) ?? verdicts.get(this))?.say(said);
  }

  [VERDICT](): Verdict {
    let verdict = verdicts.get(this);
    if (verdict === undefined) {
      const said = this.isRefused ? 'refused' : this.isAcked ? 'acked' : undefined;
      verdict = new Verdict(this.isManual, said, () => this.ack());
      verdicts.set(this, verdict);
    }
    return verdict;
  }

  getTransaction(): HandlerTransaction {
    const { transaction } = this;
    if (transaction !== undefined) return transaction as HandlerTransaction;
    throw new KafkaJSNonRetriableError(
      `getTransaction() without a transaction: the handler of ${this.getTopic()} is not transactional. Give it the option kafka: { transactional: true }, and the server transactions: { idPrefix }`,
    );
  }
}
