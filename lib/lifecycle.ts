import { ignore, own } from './application/callbacks.js';
import { KafkaJSNonRetriableError } from './kafkajs/errors/index.js';

/** The state of something that connects and disconnects. */
export type LifecycleState = 'idle' | 'connecting' | 'ready' | 'closing';

/** The steps of a start. */
export interface Start {
  /** Starts. Long waits have to end when the signal is aborted: see {@link unlessAborted}. */
  readonly open: (signal: AbortSignal) => Promise<void>;
  /** Undoes {@link open} after it has failed or was interrupted. */
  readonly undo: () => Promise<void>;
  /** Called once it has started. */
  readonly opened?: () => void;
}

interface Turn {
  readonly state: 'connecting' | 'closing';
  /** The kind of start or stop: a second one of the same kind right after it shares its turn. */
  kind: string;
  readonly controller: AbortController | undefined;
  done: Promise<boolean>;
}

/**
 * Runs starts and stops one after the other, in the order of the calls, so that any order of calls is well-defined:
 *
 * - the same start, called again while in progress, is shared;
 * - a stop interrupts the starts before it, which reject, and waits until they have cleaned up;
 * - a start after a stop waits for it.
 */
export class Lifecycle {
  readonly #what: string;
  #resting: 'idle' | 'ready' = 'idle';
  #turns: Turn[] = [];
  #retired = false;
  /** Of the last start, until it is stopped. */
  #controller: AbortController | undefined;

  /** `what` is the subject in the error of an interrupted start, for example `The producer`. */
  constructor(what: string) {
    this.#what = what;
  }

  /** The start or stop in progress, or the state after the last one. */
  get state(): LifecycleState {
    return this.#turns[0]?.state ?? this.#resting;
  }

  /**
   * Starts. Rejects with the error of {@link Start.open}, or when it is stopped meanwhile; then the state is as
   * before.
   */
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
        // Later calls do not share this start any more.
        turn.kind = '';
        await undo();
        throw signal.aborted ? signal.reason : error;
      }
      this.#resting = 'ready';
      return opened;
    });
  }

  /**
   * Stops by calling `close`. Resolves to false, without calling it, if there was nothing to stop.
   *
   * @param rest the state afterwards: a consumer that has stopped consuming may stay connected
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

  /** Refuses all further starts. */
  retire(): void {
    this.#retired = true;
  }

  #interrupted(): KafkaJSNonRetriableError {
    return new KafkaJSNonRetriableError(`${this.#what} was stopped while it was starting`);
  }

  /** Makes the start in progress reject with this error; false if there is none. */
  fail(error: Error): boolean {
    const controller = this.#turns[0]?.controller;
    controller?.abort(error);
    return controller !== undefined;
  }

  /** Resolves when the last requested stop is over. */
  async closed(): Promise<void> {
    await this.#turns.findLast(({ state }) => state === 'closing')?.done.catch(ignore);
  }

  /** Runs `work` after all earlier turns; the function that it resolves to is called when the turn is over. */
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
    // Callers await derived promises; if none does, a failure must not become an unhandled rejection.
    own(turn.done, ignore);
    return turn.done;
  }

  #end(turn: Turn): void {
    this.#turns = this.#turns.filter((other) => other !== turn);
  }
}

/**
 * Settles like the promise, or rejects with the signal's reason if that is aborted first; then the promise's outcome
 * is ignored.
 */
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
