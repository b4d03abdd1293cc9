import { Logger } from '@nestjs/common';
import { KafkaHeaders, type Serializer } from '@nestjs/microservices';
import { isThenable } from '../../application/callbacks.js';
import { REPLY_DISPOSED, REPLY_ERROR } from '../../boundary/outgoing.js';
import { REPLIED } from '../../runner/record-handler.js';
import type { OutgoingBuffer, OutgoingRecord } from '../../codec/outgoing.js';
import { guardedLogger } from '../log/guarded-logger.js';
import { messageOf } from '../../values/describe.js';
import { serialize } from '../serialize.js';
import { isTopicAware } from '../topic-aware.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { hasValue, withoutValue } from '../../kafkajs/producer/topic-messages.js';
import { areSendsTraced, type SendOrigin } from '../../kafkajs/producer/traced-sends.js';
import { traceReply } from './traced-replies.js';

const REPLY_LOGGER = new Logger('ServerKafka');

/** A reply of NestJS's server. */
export interface ReplyPacket {
  response?: unknown;
  err?: any;
  isDisposed?: boolean;
}

/** Writes replies into the tick's buffer. The core adds correlation id, topic and partition. */
export class ReplyWriter {
  readonly #logger = guardedLogger(() => REPLY_LOGGER);
  /** The buffer of the replies. */
  readonly outgoing: () => OutgoingBuffer;
  readonly #origin: () => SendOrigin;
  readonly #serializer: Serializer;
  readonly #serializesItself: boolean;
  readonly #namesTopic: boolean;

  /**
   * With `isDefault`, the serializer is NestJS's own and is not called: {@link serialize} does what it does. `origin`
   * is the sender's data for tracing.
   */
  constructor(
    outgoing: () => OutgoingBuffer,
    serializer: Serializer,
    isDefault: boolean,
    origin: () => SendOrigin,
  ) {
    this.outgoing = outgoing;
    this.#origin = origin;
    this.#serializer = serializer;
    this.#serializesItself = isDefault;
    this.#namesTopic = isTopicAware(serializer);
  }

  /**
   * Writes one reply; an error reply if it cannot be serialized. Returns a promise only if the serializer is
   * asynchronous.
   */
  write(
    assignment: number,
    batch: IncomingBatch,
    index: number,
    packet: ReplyPacket,
  ): Promise<typeof REPLIED> | typeof REPLIED {
    try {
      const record: unknown = this.#serializesItself
        ? serialize(packet.response)
        : this.#serialize(packet.response, batch, index);
      if (isThenable(record)) {
        return Promise.resolve(record as PromiseLike<OutgoingRecord>)
          .then((resolved): typeof REPLIED => this.#put(assignment, batch, index, packet, resolved))
          .catch((error: unknown): typeof REPLIED => this.#failed(assignment, batch, index, error));
      }
      return this.#put(assignment, batch, index, packet, record as OutgoingRecord);
    } catch (error) {
      return this.#failed(assignment, batch, index, error);
    }
  }

  /** Passes the reply's topic to serializers that ask for it; others are called as NestJS calls them. */
  #serialize(response: unknown, batch: IncomingBatch, index: number): unknown {
    if (!this.#namesTopic) return this.#serializer.serialize(response);
    return this.#serializer.serialize(response, { pattern: replyTopic(batch, index) });
  }

  #put(
    assignment: number,
    batch: IncomingBatch,
    index: number,
    { err, isDisposed }: ReplyPacket,
    record: OutgoingRecord,
  ): typeof REPLIED {
    if (!hasValue(record)) throw withoutValue(record, replyTopic(batch, index) ?? '');
    const flags = (isDisposed ? REPLY_DISPOSED : 0) | (err ? REPLY_ERROR : 0);
    const error = err ? errorText(err) : undefined;
    this.#send(assignment, batch, index, flags, record, error);
    return REPLIED;
  }

  #send(
    assignment: number,
    batch: IncomingBatch,
    index: number,
    flags: number,
    record: OutgoingRecord,
    error: string | undefined,
  ): void {
    const sequence = batch.sequence(index);
    if (!areSendsTraced()) {
      this.outgoing().reply(assignment, sequence, flags, record, error);
      return;
    }
    traceReply(record, batch.decodedHeaders(index), this.#origin(), (traced) =>
      this.outgoing().reply(assignment, sequence, flags, traced, error),
    );
  }

  #failed(assignment: number, batch: IncomingBatch, index: number, cause: unknown): typeof REPLIED {
    this.#logger.error(cause);
    const reason = messageOf(cause);
    const error = JSON.stringify({
      status: 'error',
      message: `The reply could not be serialized: ${reason}`,
    });
    this.#send(assignment, batch, index, REPLY_ERROR | REPLY_DISPOSED, { value: null }, error);
    return REPLIED;
  }
}

/** Where the reply to a request goes. */
function replyTopic(batch: IncomingBatch, index: number): string | undefined {
  return batch.decodedHeaders(index)[KafkaHeaders.REPLY_TOPIC] as string | undefined;
}

/** The text of NestJS's error header: objects as JSON, other values as they are. */
function errorText(error: unknown): string {
  return typeof error === 'object' ? JSON.stringify(error) : String(error);
}
