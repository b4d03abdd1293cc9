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
  /** The message's, of which this is one handler's. */
  readonly #whole: Verdict | undefined;
  /** Those of its handlers, if it has several. */
  readonly #parts: Verdict[] = [];
  /** What one of several handlers has said. */
  #heard: Said | undefined;
  /** Whether one of several handlers has nothing left to do for the message. */
  #isFinished = false;

  constructor(isManual: boolean, said: Said | undefined, ack: () => unknown, whole?: Verdict) {
    this.isManual = isManual;
    this.#said = said;
    this.#ack = ack;
    this.#whole = whole;
  }

  /** The first of the handler's calls. It counts even where the partition is gone, and with it the effect of the call. */
  get said(): Said | undefined {
    return this.#said;
  }

  /** The verdict of one of several handlers. What is said by none of them counts for each. */
  part(): Verdict {
    const part = new Verdict(this.isManual, this.#said, this.#ack, this);
    if (this.#heard !== undefined) part.#hear(this.#heard);
    this.#parts.push(part);
    return part;
  }

  /** The handler has said something. */
  say(said: Said): void {
    if (this.#said !== undefined) return;
    this.#said = said;
    this.#tell(said);
    for (const part of this.#parts) part.say(said);
    if (this.#whole !== undefined) this.#whole.#hear(said);
  }

  /**
   * One of several handlers has said something. By hand it counts for those that have handled the message and wait, because it is
   * finished then, or comes again; else what they have done is for them to say.
   */
  #hear(said: Said): void {
    if (this.#heard !== undefined) return;
    this.#heard = said;
    for (const part of this.#parts) part.#hear(said);
    if (this.#whole !== undefined && this.isManual) this.#tell(said);
  }

  #tell(said: Said): void {
    for (const tell of this.#listeners.splice(0)) tell(said);
  }

  /** Calls `tell` with what is said of a handled message, at once if something was said. */
  whenSaid(tell: (said: Said) => void): void {
    const said = this.#said ?? this.#heard;
    if (said === undefined) this.#listeners.push(tell);
    else tell(said);
  }

  /** Acknowledges the message, if its handler would have to; if it has several, when all of them have ended. */
  finish(): void {
    if (!this.isManual) return;
    if (this.#whole === undefined) this.#ack();
    else this.#whole.#isFinished = true;
  }

  /** All of the message's handlers have ended, and none has failed. */
  allEnded(): void {
    if (this.#isFinished && (this.#said ?? this.#heard) === undefined) this.#ack();
  }
}

/** A context that answers its message's verdict; those of batches do not. */
type Context = object & { readonly [VERDICT]?: () => Verdict };

const PART: unique symbol = Symbol.for('nestjs-kafka-native:part') as never;

/** One of several handlers of a message. */
interface Part {
  readonly context: object;
  readonly verdict: Verdict;
}

/** Whose verdict is asked for: that of a message, or of one of its handlers. */
type Asked = Context & { readonly [PART]?: Part };

const CONTEXTS: unique symbol = Symbol.for('nestjs-kafka-native:contexts') as never;

/** What is asked about in the messages that are being handled: the same in all copies of the package. Made when a handler asks. */
const everywhere = globalThis as { [CONTEXTS]?: AsyncLocalStorage<Asked | undefined> };

/** Calls a handler that asks for the verdict of its message, wherever in it: guards, interceptors and pipes may refuse it too. */
export function asking<T>(context: object, call: () => T): T {
  return (everywhere[CONTEXTS] ??= new AsyncLocalStorage()).run(context, call);
}

/** The same for a handler that is called only when its stream is subscribed to, as behind an interceptor. */
export function askingStream<T>(context: object, stream: Observable<T>): Observable<T> {
  return new Observable((subscriber) => asking(context, () => stream.subscribe(subscriber)));
}

/** Calls one of several handlers of a message: what it says of it, the others have not said. */
export function apart<T>(context: object, call: () => T): T {
  const verdict = askedFor(context)?.part();
  if (verdict === undefined) return call();
  const asked = { [VERDICT]: () => verdict, [PART]: { context, verdict } };
  return everywhere[CONTEXTS]?.run(asked, call) as T;
}

/** The verdict of a message with several handlers, if one of them asks. */
export function askedFor(context: object): Verdict | undefined {
  const asked = everywhere[CONTEXTS]?.getStore();
  // A message may be handled in what another one's handler has set going.
  const isAsked = asked !== undefined && (asked === context || asked[PART]?.context === context);
  return isAsked ? (context as Context)[VERDICT]?.() : undefined;
}

/** The verdict of the one of a message's several handlers that is running. */
export function speaking(context: object): Verdict | undefined {
  const part = everywhere[CONTEXTS]?.getStore()?.[PART];
  return part?.context === context ? part.verdict : undefined;
}

/** Calls what is not asked about the message whose handler asks; what it says of it is its handler's. */
export function aside<T>(call: () => T): T {
  const contexts = everywhere[CONTEXTS];
  if (contexts === undefined) return call();
  const part = contexts.getStore()?.[PART];
  return contexts.run(part && { [PART]: part }, call);
}

/** The verdict of the message that is being handled, or of the one of its handlers that is running. */
export function currentVerdict(): Verdict | undefined {
  return everywhere[CONTEXTS]?.getStore()?.[VERDICT]?.();
}
