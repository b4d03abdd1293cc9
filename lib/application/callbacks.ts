import { isolated } from './async-context.js';
import { errorFrom } from '../values/describe.js';

// Everything that nobody awaits is started here: functions of the application's whose answer is not used, and promises that are left
// running. A rejection of either would otherwise end the process, and an exception would break the code that happened to call.

/** Is told of what a callback has thrown, or its promise rejected with. An exception of its own is dropped. */
export type FailureListener = (error: Error) => void;

/**
 * Calls a function of the application's whose answer nobody waits for, in an async context of its own. What it throws, and what its promise rejects with, goes to
 * `failed`.
 */
export function runCallback(callback: () => unknown, failed: FailureListener): void {
  runHere(() => isolated(callback), failed);
}

/** Calls like {@link runCallback}, in the async context of whoever calls: for what belongs to a message. */
export function runHere(callback: () => unknown, failed: FailureListener): void {
  try {
    const answer = callback();
    if (isThenable(answer)) own(answer, failed);
  } catch (error) {
    tell(failed, error);
  }
}

/** Takes care of a promise that is started and not awaited: what it rejects with goes to `failed`. */
export function own(promise: PromiseLike<unknown>, failed: FailureListener): void {
  // Through a promise of our own: a thenable's `then` may throw, and answer twice.
  Promise.resolve(promise).catch((error: unknown) => tell(failed, error));
}

/** Takes an answer that turned out to be unwanted: if it is a promise, its rejection is ignored. */
export function disown(answer: unknown): void {
  runCallback(() => answer, ignore);
}

/** For failures that somebody else tells of. */
export const ignore = (): void => undefined;

function tell(failed: FailureListener, error: unknown): void {
  try {
    failed(errorFrom(error));
  } catch {
    // There is nobody left to tell.
  }
}

/** Whether a value can be awaited for something. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
