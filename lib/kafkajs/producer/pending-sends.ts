import type { KafkaJSError } from '../errors/index.js';
import type { RecordMetadata } from '../types/index.js';

/** Called when a send is complete: once, for all of its records. */
export type SendCallback = (error: KafkaJSError | null, metadata: RecordMetadata[]) => void;

/** A send whose outcome the core has not reported yet. */
export interface PendingSend {
  readonly topic: string;
  /** What hears of the outcome; another one where the send has ended before. */
  done: SendCallback;
}

/**
 * The pending sends, by numbers that are reused. Not a Map: a Map's outgrown table refers to the next one, so once
 * one of them is in V8's old generation, all later sends stay alive until the next full collection. That took a fifth
 * of a sender's time.
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

  /** Frees a number and returns its send, if any. */
  close(number: number): PendingSend | undefined {
    const send = this.#sends[number];
    if (send === undefined) return undefined;
    this.#sends[number] = undefined;
    this.#free.push(number);
    return send;
  }

  /** Frees all numbers and returns their sends. */
  drain(): PendingSend[] {
    return [...this.#sends.keys()].map((number) => this.close(number)).filter((send) => send !== undefined);
  }
}

/** Calls back. An exception of a callback must not stop what comes after it. */
export function tellOutcome(
  done: SendCallback,
  error: KafkaJSError | null,
  metadata: RecordMetadata[],
): void {
  try {
    done(error, metadata);
  } catch (e) {
    rethrow(e);
  }
}

/** Makes a callback's exception an uncaught one, like that of an event listener. */
export const rethrow = (error: unknown): void => {
  setImmediate(() => {
    throw error;
  });
};
