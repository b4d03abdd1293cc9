import type { KafkaJSError } from '../errors/index.js';
import type { RecordMetadata } from '../types/index.js';

/** Called when a send is complete: once, for all of its records. */
export type SendCallback = (error: KafkaJSError | null, metadata: RecordMetadata[]) => void;

/** A send whose outcome the core has not reported yet. */
export interface PendingSend {
  readonly topic: string;
  readonly done: SendCallback;
}

/**
 * The sends that are under way, by numbers that are used again. Not a Map: each table that a Map has outgrown keeps the next one in
 * memory, so that once one of them has become old, V8 takes all later sends for alive until its next full collection. That took a
 * fifth of a sender's time.
 */
export class PendingSends {
  readonly #sends: (PendingSend | undefined)[] = [];
  readonly #free: number[] = [];

  /** Takes a number for a send. */
  open(send: PendingSend): number {
    const number = this.#free.pop() ?? this.#sends.length;
    this.#sends[number] = send;
    return number;
  }

  /** Gives a number back; what it stood for, if anything. */
  close(number: number): PendingSend | undefined {
    const send = this.#sends[number];
    if (send === undefined) return undefined;
    this.#sends[number] = undefined;
    this.#free.push(number);
    return send;
  }

  /** Gives all numbers back. */
  drain(): PendingSend[] {
    return [...this.#sends.keys()].map((number) => this.close(number)).filter((send) => send !== undefined);
  }
}
