import { isolated } from './async-context.js';
import { errorFrom } from '../values/describe.js';

// The one door to what nobody awaits: functions of the application's, and promises that are started and left to themselves. What
// comes out of either would end the process as an unhandled rejection, or tear down what happened to call it.

/** Is told of what a callback has thrown, or its promise rejected with. It may fail itself: then there is nobody left to tell. */
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

/** Makes a promise somebody's that is started and not awaited: what it rejects with goes to `failed`. */
export function own(promise: PromiseLike<unknown>, failed: FailureListener): void {
  // Through a promise of our own: a thenable's `then` may throw, and answer twice.
  Promise.resolve(promise).catch((error: unknown) => tell(failed, error));
}

/** Takes an answer that turned out to be unwanted: if it is a promise, its rejection is nobody's concern. */
export function disown(answer: unknown): void {
  runCallback(() => answer, ignore);
}

/** For failures that somebody else tells of. */
export const ignore = (): void => undefined;

function tell(failed: FailureListener, error: unknown): void {
  try {
    failed(errorFrom(error));
  } catch {
    // The last resort has failed: going on is what is left.
  }
}

/** Whether a value can be awaited for something. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
