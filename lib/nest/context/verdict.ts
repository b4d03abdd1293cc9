import { AsyncLocalStorage } from 'node:async_hooks';
import { Observable } from 'rxjs';

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

/** A context that answers its message's verdict; those of batches do not. */
type Context = object & { readonly [VERDICT]?: () => Verdict };

const CONTEXTS: unique symbol = Symbol.for('nestjs-kafka-native:contexts') as never;

/** The contexts of the messages that are being handled: the same in all copies of the package. Made when a handler asks for it. */
const everywhere = globalThis as { [CONTEXTS]?: AsyncLocalStorage<Context | undefined> };

/** Calls a handler that asks for the verdict of its message, wherever in it: guards, interceptors and pipes may refuse it too. */
export function asking<T>(context: object, call: () => T): T {
  return (everywhere[CONTEXTS] ??= new AsyncLocalStorage()).run(context, call);
}

/** The same for a handler that is called only when its stream is subscribed to, as behind an interceptor. */
export function askingStream<T>(context: object, stream: Observable<T>): Observable<T> {
  return new Observable((subscriber) => asking(context, () => stream.subscribe(subscriber)));
}

/** Calls what has no part in the message whose handler asks. */
export function aside<T>(call: () => T): T {
  const contexts = everywhere[CONTEXTS];
  return contexts === undefined ? call() : contexts.run(undefined, call);
}

/** The verdict of the message that is being handled. */
export function currentVerdict(): Verdict | undefined {
  return everywhere[CONTEXTS]?.getStore()?.[VERDICT]?.();
}
