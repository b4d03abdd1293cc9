import { AsyncResource, executionAsyncId } from 'node:async_hooks';

// `AsyncLocalStorage.enterWith()` changes the current async context for everything that follows: the tenant that a
// guard enters for one message would still be there for the next. So each call of the application runs in a context
// of its own, which ends with the call. An `AsyncResource` costs less than a tenth of a microsecond.

/** A copy of the current context. Stores entered while a function runs in it stay in it. */
export class OwnContext extends AsyncResource {
  constructor() {
    super('KAFKA');
  }
}

/**
 * Whether an `AsyncResource` keeps the stores entered in its scope. True before Node.js 24, which keeps contexts in
 * frames that end with the scope (earlier releases do so with a flag). Decided by version and flags, not by trying:
 * entering a store would make each `await` of the process a third slower for good, because V8 loses a fast path once
 * a promise hook was set.
 */
const KEEPS_WHAT_IS_ENTERED =
  Number.parseInt(process.versions.node, 10) < 24 &&
  ![...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((flag) =>
    flag.includes('async-context-frame'),
  );

/**
 * The context of one message: of its handler, and of the work after the handler has returned. Where a resource does
 * not keep entered stores, that work has a resource of its own, created before the handler's scope ends.
 *
 * The next message of a task reuses the context if nothing can have been entered in it, and the message after that if this is known
 * only then: a resource for each message would be a twentieth of the cost of an event.
 */
export class MessageContext extends OwnContext {
  #afterwards: AsyncResource | undefined;
  /** The application was called, and may have entered a store. */
  #isUsed = false;
  /** The context of the message before, if it was another one. */
  #before: MessageContext | undefined;

  /** The context of the next message, free of this one's stores. */
  next(): MessageContext {
    if (!this.#isUsed) return this;
    const before = this.#before;
    this.#before = undefined;
    const next = before === undefined || before.#isUsed ? new MessageContext() : before;
    next.#before = this;
    return next;
  }

  /**
   * To be called right after an `await` that follows {@link begin}. Node.js gives the continuation an async id once
   * any store of the process was entered; without an id, none can have been: not in this context, and not in the one of the
   * message before.
   */
  answered(): void {
    if (executionAsyncId() !== 0) return;
    this.#isUsed = false;
    if (this.#before !== undefined) this.#before.#isUsed = false;
  }

  /** Calls the handler. */
  begin<A, B, C, R>(handle: (a: A, b: B, c: C) => R, a: A, b: B, c: C): R {
    this.#isUsed = true;
    if (KEEPS_WHAT_IS_ENTERED) return this.runInAsyncScope(handle, undefined, a, b, c);
    return this.runInAsyncScope(this.#taking<A, B, C, R>, this, handle, a, b, c);
  }

  #taking<A, B, C, R>(handle: (a: A, b: B, c: C) => R, a: A, b: B, c: C): R {
    try {
      return handle(a, b, c);
    } finally {
      this.#afterwards = new OwnContext();
    }
  }

  /** Calls the work after the handler, which sees the stores that the handler entered before its first `await`. */
  proceed<T, A, B, C, D, R>(
    then: (this: T, a: A, b: B, c: C, d: D) => R,
    self: T,
    a: A,
    b: B,
    c: C,
    d: D,
  ): R {
    this.#isUsed = true;
    return (this.#afterwards ?? this).runInAsyncScope(then, self, a, b, c, d);
  }
}

/**
 * Whether a store may have been entered in the present context. To be called after an `await`: Node.js gives the continuation an async id
 * once any store of the process was entered. From Node.js 24 on the answer is always yes.
 */
export function mayHaveEntered(): boolean {
  return !KEEPS_WHAT_IS_ENTERED || executionAsyncId() !== 0;
}

/** Calls a function of the application in a context of its own, so that nothing else sees the stores that it enters. */
export function isolated<R>(call: () => R): R {
  return new OwnContext().runInAsyncScope(call);
}
