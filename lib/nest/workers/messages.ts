import type { MessagePort } from 'node:worker_threads';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import type { SentError } from './sent-error.js';

// What a server and its worker threads send each other, by structured clone.

/** The name of a worker's setup in `workerData`. */
export const SETUP = 'nestjs-kafka-native';

/** What a worker is started with. */
export interface WorkerSetup {
  /** The way to the server; the application may use `parentPort` for itself. */
  readonly port: MessagePort;
  readonly clientId: string;
  readonly groupId: string;
  /** `parser.keepBinary`. */
  readonly keepBinary: boolean;
  /** The options of the server that are objects of its own, which the worker has to be given once more. */
  readonly ownCodec: readonly ('serializer' | 'deserializer')[];
}

/** A record to handle. */
export interface SentRecord {
  readonly kind: 'record';
  readonly id: number;
  /** The topic whose handler is called; {@link source} but for a record of a retry topic. */
  readonly topic: string;
  /** The topic that it was read from. */
  readonly source: string;
  readonly partition: number;
  /** Which delivery it is; 1 for the first. */
  readonly attempt: number;
  /** A packed batch of this record alone, whose assignment is {@link id}. */
  readonly packed: ArrayBuffer;
}

/** To a worker. */
export type ToWorker =
  | SentRecord
  /** The answer to a heartbeat. */
  | { readonly kind: 'heartbeat'; readonly id: number; readonly error?: SentError }
  /** The application is to be closed. */
  | { readonly kind: 'close' };

/** How a record ended that has not failed. */
export interface SentOutcome {
  readonly kind: 'outcome';
  readonly id: number;
  /** `replied`: its only reply was sent before; `streaming`: its replies go on. */
  readonly outcome: 'handled' | 'replied' | 'streaming';
  /** The delay of a `nack()`, in milliseconds. */
  readonly nack?: number | undefined;
}

/** From a worker. */
export type FromWorker =
  /** It can handle records; with its handlers in the order of their registration. */
  | { readonly kind: 'ready'; readonly handlers: readonly string[] }
  /** It can handle none, because of this. */
  | { readonly kind: 'refused'; readonly error: SentError }
  | OfRecord;

/** From a worker, about a record. */
export type OfRecord =
  | SentOutcome
  /** The record has failed: what its handler led to, and what NestJS's exception filters made that of. */
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly error: SentError;
      readonly original?: SentError | undefined;
      /** The delay of a `nack()` before it, in milliseconds. */
      readonly nack?: number | undefined;
    }
  /** A reply to a request. */
  | {
      readonly kind: 'reply';
      readonly id: number;
      readonly flags: number;
      readonly record: OutgoingRecord;
      readonly error: string | undefined;
    }
  /** All replies to a record that is `streaming` were sent. */
  | { readonly kind: 'complete'; readonly id: number; readonly replies: number }
  | { readonly kind: 'heartbeat'; readonly id: number };
