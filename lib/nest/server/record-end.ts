import { KafkaRetriableException } from '@nestjs/microservices';
import { isObservable, lastValueFrom, type Observable, ReplaySubject } from 'rxjs';
import type { PartitionTask } from '../../runner/partition-task.js';
import { REPLIED, INCOMPLETE, type Outcome, type RecordEnd } from '../../runner/record-handler.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { noteHandlerError } from '../../kafkajs/consumer/traced-handling.js';
import { originalError } from './original-errors.js';
import type { ReplyPacket } from './reply-writer.js';

/** What finishing a request needs of the server. */
export interface RequestOwner {
  /** Writes one reply; a promise only if the serializer is asynchronous. */
  reply(
    assignment: number,
    batch: IncomingBatch,
    index: number,
    packet: ReplyPacket,
  ): Promise<typeof REPLIED> | typeof REPLIED;
  /** NestJS's `Server.send`: a reply for each value of a stream, one after the other. */
  send(stream$: Observable<unknown>, respond: (packet: ReplyPacket) => Promise<void>): void;
  /** All `replies` to a record whose handler returned {@link INCOMPLETE} are written. */
  complete(assignment: number, sequence: number, replies: number): void;
}

/** Finishes an event: a returned stream is awaited. */
export const eventEnd: RecordEnd = {
  isOver: (value) => !isObservable(value),
  succeeded(value) {
    if (isObservable(value)) return drained(value);
  },
  failed(error) {
    throw error;
  },
};

/**
 * Waits for the end of a stream. An empty stream is fine here, while in NestJS's own server it fails and is
 * redelivered for ever.
 */
async function drained(stream$: Observable<unknown>): Promise<void> {
  await lastValueFrom(stream$, { defaultValue: undefined });
}

/** The message of a request. */
export interface RequestMessage {
  /** Whether its handler has refused it. */
  readonly isRefused: boolean;
  /** Its handler cannot acknowledge it any more: it counts as acknowledged. */
  finish(): void;
}

/** Finishes a message once its answer is written. */
export function finishAfter<Written extends Promise<Outcome> | Outcome>(
  written: Written,
  message: Pick<RequestMessage, 'finish'>,
): Promise<Outcome> | Outcome {
  if (!(written instanceof Promise)) {
    message.finish();
    return written;
  }
  return written.then((outcome) => {
    message.finish();
    return outcome;
  });
}

/** Finishes a request: writes its replies, unless its handler has refused it: its next delivery answers it. */
export class RequestEnd implements RecordEnd {
  readonly #owner: RequestOwner;
  readonly #request: RequestMessage;

  constructor(owner: RequestOwner, request: RequestMessage) {
    this.#owner = owner;
    this.#request = request;
  }

  succeeded(
    value: unknown,
    { assignment }: PartitionTask,
    batch: IncomingBatch,
    index: number,
    ended?: () => void,
  ): Promise<Outcome> | Outcome {
    if (isObservable(value)) return this.#stream(value, assignment, batch, index, ended);
    if (this.#request.isRefused) return undefined;
    return this.#owner.reply(assignment, batch, index, { response: value, isDisposed: true });
  }

  failed(
    error: unknown,
    { assignment }: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> | Outcome {
    if (error instanceof KafkaRetriableException || this.#request.isRefused) throw error;
    noteHandlerError(batch, index, originalError(error));
    const written = this.#owner.reply(assignment, batch, index, { err: error, isDisposed: true });
    return finishAfter(written, this.#request);
  }

  /**
   * Replies with each value of a stream. The partition goes on after the first one, as in NestJS; the offset may be
   * committed when the last reply is acknowledged. A stream that was refused by its first value is awaited, and answers nothing.
   */
  async #stream(
    response$: Observable<unknown>,
    assignment: number,
    batch: IncomingBatch,
    index: number,
    ended?: () => void,
  ): Promise<typeof INCOMPLETE | undefined> {
    const request = this.#request;
    // Once the partition has gone on, what it says of a refusal is about another message.
    let isFirst = true;
    const replay$ = new ReplaySubject<unknown>();
    await new Promise<void>((resolve, reject) => {
      response$.subscribe({
        next: (value) => {
          replay$.next(value);
          if (isFirst && !request.isRefused) {
            isFirst = false;
            resolve();
          }
        },
        error: (error: unknown) => {
          if (error instanceof KafkaRetriableException || (isFirst && request.isRefused)) reject(error);
          else {
            noteHandlerError(batch, index, originalError(error));
            request.finish();
            resolve();
          }
          replay$.error(error);
        },
        complete: () => {
          replay$.complete();
          resolve();
        },
      });
    });
    if (request.isRefused) return undefined;
    let replies = 0;
    this.#owner.send(replay$, async (packet) => {
      replies++;
      await this.#owner.reply(assignment, batch, index, packet);
      if (!packet.isDisposed) return;
      this.#owner.complete(assignment, batch.sequence(index), replies);
      ended?.();
    });
    return INCOMPLETE;
  }
}
