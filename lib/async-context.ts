import { AsyncResource } from 'node:async_hooks';

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
 * The context of one message: of its handler, and of what follows when that has answered.
 *
 * Whether a resource keeps what is entered in its scope depends on Node.js: where contexts are frames (24), it is gone with the scope. So
 * what follows has a resource of its own, made before the scope ends. Finding out instead which it is, with a storage that is entered
 * and disabled, would make each `await` of the process a third dearer for good: V8 goes without a fast path once a promise hook was set.
 */
export class MessageContext extends OwnContext {
  #afterwards: AsyncResource | undefined;

  /** Calls the handler. */
  begin<A, B, C, R>(handle: (a: A, b: B, c: C) => R, a: A, b: B, c: C): R {
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
  proceed<R>(then: () => R): R {
    return (this.#afterwards ?? this).runInAsyncScope(then);
  }
}

/** Calls a function of the application's; what it enters is seen by nothing else. */
export function isolated<R>(call: () => R): R {
  return new OwnContext().runInAsyncScope(call);
}
