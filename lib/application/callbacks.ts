import { isolated } from './async-context.js';
import { errorFrom } from '../values/describe.js';

// Everything that is not awaited is started here: callbacks of the application whose result is not used, and promises
// that are left running. Otherwise a rejection would end the process, and an exception would break the calling code.

/** Receives what a callback throws or its promise rejects with. Exceptions of the listener itself are dropped. */
export type FailureListener = (error: Error) => void;

/**
 * Calls a function of the application without waiting for its result, in an async context of its own. What it throws
 * or its promise rejects with goes to `failed`.
 */
export function runCallback(callback: () => unknown, failed: FailureListener): void {
  runHere(() => isolated(callback), failed);
}

/** Like {@link runCallback}, but in the caller's async context: for callbacks that belong to a message. */
export function runHere(callback: () => unknown, failed: FailureListener): void {
  try {
    const answer = callback();
    if (isThenable(answer)) own(answer, failed);
  } catch (error) {
    tell(failed, error);
  }
}

/** Handles a promise that is not awaited: what it rejects with goes to `failed`. */
export function own(promise: PromiseLike<unknown>, failed: FailureListener): void {
  // Through a native promise: a thenable's `then` may throw, or call back twice.
  Promise.resolve(promise).catch((error: unknown) => tell(failed, error));
}

/** Drops a result that is not wanted: if it is a promise, its rejection is ignored. */
export function disown(answer: unknown): void {
  runCallback(() => answer, ignore);
}

/** For failures that are reported elsewhere. */
export const ignore = (): void => undefined;

function tell(failed: FailureListener, error: unknown): void {
  try {
    failed(errorFrom(error));
  } catch {
    // The listener itself failed; nothing is left to report it to.
  }
}

/** Whether a value is a promise or another thenable. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
