import { Logger } from '@nestjs/common';
import type { Serializer } from '@nestjs/microservices';
import { REPLY_DISPOSED, REPLY_ERROR } from '../../boundary/outgoing.js';
import { REPLIED } from '../../runner/record-handler.js';
import type { OutgoingBuffer, OutgoingRecord } from '../../codec/outgoing.js';
import { guardedLogger } from '../log/guarded-logger.js';
import { messageOf } from '../../values/describe.js';
import { serialize } from '../serialize.js';

const REPLY_LOGGER = new Logger('ServerKafka');

/** What NestJS's server replies with. */
export interface ReplyPacket {
  response?: unknown;
  err?: any;
  isDisposed?: boolean;
}

/** Writes replies into the tick's buffer. Correlation id, topic and partition are the core's business. */
export class ReplyWriter {
  readonly #logger = guardedLogger(() => REPLY_LOGGER);
  readonly #outgoing: () => OutgoingBuffer;
  readonly #serializer: Serializer;
  readonly #serializesItself: boolean;

  /** With `isDefault`, the serializer is NestJS's own and is not called: {@link serialize} does what it does. */
  constructor(outgoing: () => OutgoingBuffer, serializer: Serializer, isDefault: boolean) {
    this.#outgoing = outgoing;
    this.#serializer = serializer;
    this.#serializesItself = isDefault;
  }

  /**
   * Writes one reply: one that cannot be written becomes an error reply instead of silence. Answers a promise only where a serializer
   * is asynchronous.
   */
  write(assignment: number, sequence: number, packet: ReplyPacket): Promise<typeof REPLIED> | typeof REPLIED {
    try {
      const record: unknown = this.#serializesItself
        ? serialize(packet.response)
        : this.#serializer.serialize(packet.response);
      if (record instanceof Promise) {
        return record
          .then((resolved: OutgoingRecord): typeof REPLIED =>
            this.#put(assignment, sequence, packet, resolved),
          )
          .catch((error: unknown): typeof REPLIED => this.#failed(assignment, sequence, error));
      }
      return this.#put(assignment, sequence, packet, record as OutgoingRecord);
    } catch (error) {
      return this.#failed(assignment, sequence, error);
    }
  }

  #put(
    assignment: number,
    sequence: number,
    { err, isDisposed }: ReplyPacket,
    record: OutgoingRecord,
  ): typeof REPLIED {
    const flags = (isDisposed ? REPLY_DISPOSED : 0) | (err ? REPLY_ERROR : 0);
    const error = err ? errorText(err) : undefined;
    this.#outgoing().reply(assignment, sequence, flags, record, error);
    return REPLIED;
  }

  #failed(assignment: number, sequence: number, cause: unknown): typeof REPLIED {
    this.#logger.error(cause);
    const reason = messageOf(cause);
    const error = JSON.stringify({
      status: 'error',
      message: `The reply could not be serialized: ${reason}`,
    });
    this.#outgoing().reply(assignment, sequence, REPLY_ERROR | REPLY_DISPOSED, { value: null }, error);
    return REPLIED;
  }
}

/** The text of stock's error header: objects as JSON, the rest as it is. */
function errorText(error: unknown): string {
  return typeof error === 'object' ? JSON.stringify(error) : String(error);
}
