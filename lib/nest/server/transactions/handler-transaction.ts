import { from, type Observable } from 'rxjs';
import { ignore, own } from '../../../application/callbacks.js';
import type { OutgoingRecord } from '../../../codec/outgoing.js';
import { KafkaJSNonRetriableError } from '../../../kafkajs/errors/index.js';
import type { Message, ProducerRecord, RecordMetadata, Transaction } from '../../../kafkajs/types/index.js';
import type { TransactionalDelivery } from '../../../runner/record-transactions.js';
import { isTooLarge, withoutTexts } from '../dead-letter.js';

/**
 * The transaction of a handler with `kafka: { transactional: true }`. Its messages are committed together with the
 * offset of the handler's message, or not at all: if a send fails, the message is redelivered, whether or not the
 * handler awaits the send. After the handler has ended, nothing can be sent.
 */
export interface HandlerTransaction {
  /**
   * Sends messages, in kafkajs's shape; resolves with where they were written. Read-committed consumers see them once
   * the transaction is committed.
   */
  send(record: ProducerRecord): Promise<RecordMetadata[]>;
  /**
   * Sends an event to the topic of a pattern, as `ClientKafka.emit()` does, with the server's serializer. It is sent
   * even without a subscriber to the result.
   */
  emit<TInput = any>(pattern: any, data: TInput): Observable<RecordMetadata[]>;
}

/** How a server writes the messages of handlers' transactions. */
export interface TransactionWriting {
  /** The compression of all messages. */
  readonly compression: ProducerRecord['compression'];
  /** The topic of a pattern. */
  readonly topicOf: (pattern: unknown) => string;
  /** Serializes an event. */
  readonly serialize: (data: unknown, topic: string) => OutgoingRecord | Promise<OutgoingRecord>;
}

/** The transaction of a message. */
export interface DeliveriesTransaction {
  /** The producer's. */
  readonly transaction: Transaction;
  /** Whether the handler of a record is running, and was not abandoned. */
  isRunning(delivery: TransactionalDelivery): boolean;
  /** A send of its handler has failed. */
  sendFailed(delivery: TransactionalDelivery, error: unknown): void;
}

/** Records whose dead letter was too large with the error's texts. */
const tooLarge = new WeakSet<TransactionalDelivery>();

/** One message's share of a transaction. */
export class DeliveryTransaction implements HandlerTransaction {
  readonly #shared: DeliveriesTransaction;
  readonly #delivery: TransactionalDelivery;
  readonly #writing: TransactionWriting;

  constructor(shared: DeliveriesTransaction, delivery: TransactionalDelivery, writing: TransactionWriting) {
    this.#shared = shared;
    this.#delivery = delivery;
    this.#writing = writing;
  }

  send(record: ProducerRecord): Promise<RecordMetadata[]> {
    return this.#followed(this.#sent(record));
  }

  emit<TInput = any>(pattern: any, data: TInput): Observable<RecordMetadata[]> {
    return from(this.#followed(this.#emitted(pattern, data)));
  }

  /** Writes a record of the server itself; resolves when the broker has acknowledged it. */
  async write(topic: string, record: OutgoingRecord): Promise<void> {
    const delivery = this.#delivery;
    const { rawHeaders } = record;
    // A second attempt in the same transaction would be in vain: the first failure has doomed it.
    const sent =
      rawHeaders && tooLarge.has(delivery) ? { ...record, rawHeaders: withoutTexts(rawHeaders) } : record;
    try {
      await this.#followed(this.#sent({ topic, messages: [sent as Message] }));
    } catch (error) {
      if (isTooLarge(error)) tooLarge.add(delivery);
      throw error;
    }
  }

  async #emitted(pattern: unknown, data: unknown): Promise<RecordMetadata[]> {
    const topic = this.#writing.topicOf(pattern);
    const record = await this.#writing.serialize(data, topic);
    return this.#sent({ topic, messages: [record as Message] });
  }

  #sent(record: ProducerRecord): Promise<RecordMetadata[]> {
    if (!this.#shared.isRunning(this.#delivery)) {
      const message =
        'getTransaction() is of no more use: the handler of the message has ended, or its partition is gone. Await what is sent, or send it before the handler ends';
      return Promise.reject(new KafkaJSNonRetriableError(message));
    }
    const { compression } = this.#writing;
    return this.#shared.transaction.send(compression === undefined ? record : { compression, ...record });
  }

  /** A failed send fails the transaction, even if the send is not awaited. */
  #followed(sent: Promise<RecordMetadata[]>): Promise<RecordMetadata[]> {
    const followed = sent.catch((error: unknown) => {
      this.#shared.sendFailed(this.#delivery, error);
      throw error;
    });
    own(followed, ignore);
    return followed;
  }
}
