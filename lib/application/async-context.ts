import { AsyncResource, executionAsyncId } from 'node:async_hooks';

// `AsyncLocalStorage.enterWith()` changes the context of whatever runs at that moment, for all that follows: without a border the
// tenant that a guard enters for one message is still there for the next. So whatever calls the application starts a context of
// its own, and what the application enters ends with it. A resource costs less than a tenth of a microsecond.

/** A copy of the present context. What is entered while a function runs in it stays in it. */
export class OwnContext extends AsyncResource {
  constructor() {
    super('KAFKA');
  }
}

/**
 * Whether a resource keeps what is entered in its scope: until Node.js 24, where contexts are frames that end with the scope, unless
 * a flag says so earlier. By version and flags: a storage that is entered to find out would make each `await` of the process a third
 * dearer for good, because V8 goes without a fast path once a promise hook was set.
 */
const KEEPS_WHAT_IS_ENTERED =
  Number.parseInt(process.versions.node, 10) < 24 &&
  ![...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((flag) =>
    flag.includes('async-context-frame'),
  );

/**
 * The context of one message: of its handler, and of what follows when that has answered. Where a resource does not keep what is
 * entered, what follows has a resource of its own, made before the handler's scope ends.
 *
 * The next message of a task takes it over where nothing can have been entered in it: a resource for each message would cost an event
 * a twentieth of all that it costs.
 */
export class MessageContext extends OwnContext {
  #afterwards: AsyncResource | undefined;
  /** The application was called, and may have entered something. */
  #isUsed = false;

  /** The context of the message that comes next, which nothing of this one is in. */
  next(): MessageContext {
    return this.#isUsed ? new MessageContext() : this;
  }

  /**
   * To be called right behind an `await` that follows {@link begin}: what continues there has an id where the process follows its
   * contexts, as it does from the moment on at which the first storage is entered. So if it has none, none was.
   */
  answered(): void {
    if (executionAsyncId() === 0) this.#isUsed = false;
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

  /** Calls what follows the handler: it finds what the handler has entered before it first waited. */
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

/** Calls a function of the application's; what it enters is seen by nothing else. */
export function isolated<R>(call: () => R): R {
  return new OwnContext().runInAsyncScope(call);
}
