import { KafkaJSInvalidOptionError } from '../../../kafkajs/errors/index.js';
import type { DeadLetterOptions, KafkaHandlerOptions, NestKafkaOptions } from '../../options/index.js';

/** A transactional handler, and the other settings of its messages. */
export interface TransactionalHandler {
  /** Class, method and pattern. */
  readonly place: string;
  readonly isEventHandler: boolean;
  /** Whether it has `@Idempotent`. */
  readonly isIdempotent: boolean;
  readonly options: KafkaHandlerOptions;
  /** The order of its topic's messages. */
  readonly order: string;
  readonly deadLetter: DeadLetterOptions | undefined;
}

const OPTION = 'kafka.transactional';

/**
 * Refuses options with which transactions cannot keep their promise.
 *
 * @throws KafkaJSInvalidOptionError naming the handler, the option and the way out.
 */
export function refuseTransactional(handler: TransactionalHandler, server: NestKafkaOptions): void {
  const because = reason(handler, server);
  if (because === undefined) return;
  throw new KafkaJSInvalidOptionError(`Option ${OPTION} ${because} (${handler.place})`, { option: OPTION });
}

function reason(
  { isEventHandler, isIdempotent, options, order, deadLetter }: TransactionalHandler,
  server: NestKafkaOptions,
): string | undefined {
  if (server.transactions === undefined) {
    return 'needs the transactions of the server: give it the option transactions: { idPrefix }';
  }
  if (!isEventHandler) {
    return 'is for events: the reply to a request belongs to no transaction. Use @EventPattern, and send the answer by getTransaction(); or leave it out';
  }
  if (options.batch !== undefined) {
    return 'cannot be with kafka.batch: a transaction takes messages of all partitions together by itself. Leave one of them out';
  }
  if (options.ack === 'manual') {
    return 'cannot be with kafka.ack "manual": a message counts when its transaction is committed. Leave one of them out';
  }
  if (isIdempotent) {
    return 'cannot be with @Idempotent: a message whose transaction is aborted comes again, and its key would be done already. Leave one of them out: what is sent in the transaction counts once by itself';
  }
  if (order !== 'partition') {
    return `cannot be with the order "${order}": a transaction commits one offset of each partition, below which all is done. Give the handler concurrency: { order: "partition" }, or leave it out`;
  }
  if (deadLetter?.retryTopics) {
    return 'cannot be with deadLetter.retryTopics, whose messages are handled in a group of their own. Leave one of them out, or give the handler deadLetter: { retryTopics: false }';
  }
  if (server.consumer?.readUncommitted) {
    return 'cannot be with consumer.readUncommitted: what is read might never have been, and so might the offset where reading goes on. Leave one of them out';
  }
  return undefined;
}
