import { ignore, own } from './application/callbacks.js';
import { KafkaJSNonRetriableError } from './kafkajs/errors/index.js';

/** What something that connects and disconnects is doing. */
export type LifecycleState = 'idle' | 'connecting' | 'ready' | 'closing';

/** How something starts. */
export interface Start {
  /** Starts. Long waits end when the signal is aborted: see {@link unlessAborted}. */
  readonly open: (signal: AbortSignal) => Promise<void>;
  /** Closes what {@link open} has made, after it has failed or was interrupted. */
  readonly undo: () => Promise<void>;
  /** Called once it has started. */
  readonly opened?: () => void;
}

interface Turn {
  readonly state: 'connecting' | 'closing';
  /** Which start or stop it is: a second one of its kind that comes right behind it is the same. */
  kind: string;
  readonly controller: AbortController | undefined;
  done: Promise<boolean>;
}

/**
 * The life of whatever connects and disconnects. Starts and stops take turns, in the order in which they were asked for: of two that run
 * side by side neither would know what the other has made. So every order of calls means something:
 *
 * - the same start, asked for while it is under way, is one;
 * - a stop interrupts the starts before it, which reject, and waits until they have cleaned up;
 * - a start behind a stop waits for it.
 */
export class Lifecycle {
  readonly #what: string;
  #resting: 'idle' | 'ready' = 'idle';
  #turns: Turn[] = [];
  #retired = false;
  /** Of the last start, while it is wanted. */
  #controller: AbortController | undefined;

  /** `what` is named by the error of a start that was interrupted, for example `The producer`. */
  constructor(what: string) {
    this.#what = what;
  }

  /** What is being done, or what it is when nothing is. */
  get state(): LifecycleState {
    return this.#turns[0]?.state ?? this.#resting;
  }

  /** Starts. Rejects with what {@link Start.open} fails with, and when it is stopped meanwhile; it then is what it was before. */
  async start(kind: string, { open, undo, opened }: Start): Promise<void> {
    if (this.#retired) throw this.#interrupted();
    const last = this.#turns.at(-1);
    if (last?.kind === kind) {
      await last.done;
      return;
    }
    const controller = new AbortController();
    const { signal } = controller;
    await this.#take({ state: 'connecting', kind, controller }, async (turn) => {
      signal.throwIfAborted();
      this.#controller = controller;
      try {
        await open(signal);
        signal.throwIfAborted();
      } catch (error) {
        // A start that is asked for from here on is a new one.
        turn.kind = '';
        await undo();
        throw signal.aborted ? signal.reason : error;
      }
      this.#resting = 'ready';
      return opened;
    });
  }

  /**
   * Stops by calling `close`. Answers false when there was nothing to stop; then nothing was called.
   *
   * @param rest what it is afterwards: a consumer that has stopped consuming may stay connected
   */
  stop(
    kind: string,
    close: () => Promise<void>,
    { rest = 'idle', stopped }: { rest?: 'idle' | 'ready'; stopped?: () => void } = {},
  ): Promise<boolean> {
    const last = this.#turns.at(-1);
    if (last?.kind === kind) return last.done;
    const reason = this.#interrupted();
    for (const { controller } of this.#turns) controller?.abort(reason);
    this.#controller?.abort(reason);
    this.#controller = undefined;
    return this.#take({ state: 'closing', kind, controller: undefined }, async () => {
      if (this.#resting === 'idle') return undefined;
      try {
        await close();
      } finally {
        this.#resting = rest;
      }
      return stopped ?? ignore;
    });
  }

  /** Lets no further start succeed: whoever made this has given it up. */
  retire(): void {
    this.#retired = true;
  }

  #interrupted(): KafkaJSNonRetriableError {
    return new KafkaJSNonRetriableError(`${this.#what} was stopped while it was starting`);
  }

  /** Has the start under way reject with this error; false when there is none. */
  fail(error: Error): boolean {
    const controller = this.#turns[0]?.controller;
    controller?.abort(error);
    return controller !== undefined;
  }

  /** Resolves when the last stop that was asked for is over. */
  async closed(): Promise<void> {
    await this.#turns.findLast(({ state }) => state === 'closing')?.done.catch(ignore);
  }

  /** Runs `work` once all before it has ended; the function that it answers is called when the turn is over. */
  #take(
    start: Omit<Turn, 'done'>,
    work: (turn: Turn) => Promise<(() => void) | undefined>,
  ): Promise<boolean> {
    const before = this.#turns.at(-1)?.done;
    const turn: Turn = { ...start, done: Promise.resolve(false) };
    this.#turns.push(turn);
    const run = async (): Promise<boolean> => {
      try {
        if (before !== undefined) await before.catch(ignore);
        const ended = await work(turn);
        this.#end(turn);
        ended?.();
        return ended !== undefined;
      } catch (error) {
        this.#end(turn);
        throw error;
      }
    };
    turn.done = run();
    // Callers await promises of their own. Where nobody does, a failure must not become an unhandled rejection.
    own(turn.done, ignore);
    return turn.done;
  }

  #end(turn: Turn): void {
    this.#turns = this.#turns.filter((other) => other !== turn);
  }
}

/** What a promise comes to, unless the signal comes first: then its reason. What the promise comes to later is ignored. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  own(promise, ignore);
  let abort = ignore;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
