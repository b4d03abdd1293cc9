import { mayHaveEntered, OwnContext } from './async-context.js';
import { ignore, own } from './callbacks.js';

/** More replies than this are rarely delivered before the next `await`. */
const MOST_SPARE = 1024;

/** Empty contexts, for calls whose own context is empty. A context is reused once it is known that nothing was entered in it. */
export class EmptyContexts {
  /** The context in which the others are made. */
  #empty: OwnContext | undefined;
  readonly #spare: OwnContext[] = [];
  #used: OwnContext[] = [];

  /** A copy of the present context, or undefined if it is known to be empty. To be called after an `await`. */
  unlessEmpty(): OwnContext | undefined {
    if (mayHaveEntered()) return new OwnContext();
    this.#empty ??= new OwnContext();
    return undefined;
  }

  /**
   * Calls a function of the application in an empty context, so that nothing else sees the stores that it enters. Only for calls for
   * which {@link unlessEmpty} has returned undefined.
   */
  run<A, R>(call: (argument: A) => R, argument: A): R {
    this.#empty ??= new OwnContext();
    const context = this.#spare.pop() ?? this.#empty.runInAsyncScope(() => new OwnContext());
    if (this.#used.push(context) === 1) own(this.#reuse(), ignore);
    return context.runInAsyncScope(call, undefined, argument);
  }

  async #reuse(): Promise<void> {
    // An `await` that began before the first store was entered gets no id. The second one begins after all calls of the batch.
    await undefined;
    const used = this.#used;
    this.#used = [];
    await undefined;
    if (mayHaveEntered()) return;
    const room = MOST_SPARE - this.#spare.length;
    for (const context of used.slice(0, room)) this.#spare.push(context);
  }
}
