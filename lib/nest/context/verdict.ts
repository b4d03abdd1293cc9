/** What a handler has said of its message: that it is finished, or that it is to come again. */
export type Said = 'acked' | 'refused';

/** A context's method that answers its message's verdict: the same in all copies of the package. */
export const VERDICT: unique symbol = Symbol.for('nestjs-kafka-native:verdict') as never;

/** What a handler says of its message by `ack()` and `nack()`, for others who have to know. */
export class Verdict {
  /** Whether the message is finished by `ack()` alone. */
  readonly isManual: boolean;
  readonly #ack: () => unknown;
  readonly #listeners: ((said: Said) => void)[] = [];
  #said: Said | undefined;

  constructor(isManual: boolean, said: Said | undefined, ack: () => unknown) {
    this.isManual = isManual;
    this.#said = said;
    this.#ack = ack;
  }

  /** The first of the handler's calls. It counts even where the partition is gone, and with it the effect of the call. */
  get said(): Said | undefined {
    return this.#said;
  }

  /** The handler has said something. */
  say(said: Said): void {
    if (this.#said !== undefined) return;
    this.#said = said;
    for (const tell of this.#listeners.splice(0)) tell(said);
  }

  /** Calls `tell` with what the handler says, at once if it has said something. */
  whenSaid(tell: (said: Said) => void): void {
    if (this.#said === undefined) this.#listeners.push(tell);
    else tell(this.#said);
  }

  /** Acknowledges the message, if its handler would have to. */
  finish(): void {
    if (this.isManual) this.#ack();
  }
}

/** The verdict of a message, if this is its context. */
export function verdictOf(argument: unknown): Verdict | undefined {
  if (typeof argument !== 'object' || argument === null) return undefined;
  return (argument as { [VERDICT]?: () => Verdict })[VERDICT]?.();
}
