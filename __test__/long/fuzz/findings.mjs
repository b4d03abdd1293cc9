// What is found: a rejection that is nobody's, an exception that nobody catches, a promise that stays open.
import { inspect } from 'node:util';

export const found = [];
export function report(what, error) {
  found.push(`${what}: ${inspect(error, { depth: 2 })}`);
}
process.on('unhandledRejection', (error) => report('unhandled rejection', error));
process.on('uncaughtException', (error) => report('uncaught exception', error));

/** What has not ended yet. */
export const waiting = new Map();
let number = 0;
export function watch(promise, label) {
  const id = number++;
  waiting.set(id, label);
  const settle = async () => {
    try {
      await promise;
    } catch {
      // The caller's.
    }
    waiting.delete(id);
  };
  settle();
}
/** A promise or an Observable of an answer is waited for. */
export function follow(answer, label, made) {
  try {
    if (typeof answer !== 'object' || answer === null) return;
    if (typeof answer.then === 'function') {
      watch(answer, label);
      answer.then(
        (value) => made(value),
        () => undefined,
      );
    } else if (typeof answer.subscribe === 'function' && !label.endsWith('.status')) {
      watch(
        new Promise((resolve) => {
          answer.subscribe({ error: resolve, complete: resolve });
        }),
        label,
      );
    }
  } catch (error) {
    report(`${label} answered something odd`, error);
  }
}
