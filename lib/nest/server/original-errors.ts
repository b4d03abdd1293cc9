import type { ArgumentsHost } from '@nestjs/common';
import { isObservable, tap } from 'rxjs';
import { RpcExceptionsHandler } from '../internals.js';
import { PackedContext } from '../context/packed-context.js';

interface ExceptionsHandler {
  handle(exception: unknown, host: ArgumentsHost, ...rest: unknown[]): unknown;
}

/** The original error by the result of Nest's exception handling. */
const originals = new WeakMap<object, unknown>();
let watching = false;

/**
 * Makes {@link originalError} know what handlers throw from now on.
 *
 * Nest passes everything that a handler, a pipe, a guard or an interceptor throws to one method, which returns the
 * result of the exception filters: for an unknown error `{ status: 'error', message: 'Internal server error' }`. Only
 * that method knows both, so it is wrapped; its result does not change.
 */
export function rememberOriginalErrors(): void {
  if (watching) return;
  watching = true;
  watchExceptions(RpcExceptionsHandler.prototype as unknown as ExceptionsHandler);
}

/** The error from which Nest's exception filters made `outcome`; `outcome` itself if it is not known. */
export function originalError(outcome: unknown): unknown {
  return isObject(outcome) && originals.has(outcome) ? originals.get(outcome) : outcome;
}

/** Wraps `handle` of Nest's exceptions handlers. */
export function watchExceptions(handlers: ExceptionsHandler): void {
  const { handle } = handlers;
  handlers.handle = function watched(this: ExceptionsHandler, exception, host, ...rest) {
    if (!host.getArgs().some((argument: unknown) => argument instanceof PackedContext)) {
      return handle.call(this, exception, host, ...rest);
    }
    try {
      return watchResult(handle.call(this, exception, host, ...rest), exception);
    } catch (error) {
      rememberOriginal(error, exception);
      throw error;
    }
  };
}

/** Returns an equivalent result: a filter returns an Observable, a promise of one, or a value. */
function watchResult(result: unknown, exception: unknown): unknown {
  if (isObservable(result)) return result.pipe(tap({ error: (error) => rememberOriginal(error, exception) }));
  if (!(result instanceof Promise)) return result;
  return result.then(
    (value: unknown) => watchResult(value, exception),
    (error: unknown) => {
      rememberOriginal(error, exception);
      throw error;
    },
  );
}

/** Makes {@link originalError} answer `exception` for `outcome`. */
export function rememberOriginal(outcome: unknown, exception: unknown): void {
  if (isObject(outcome) && outcome !== exception) originals.set(outcome, exception);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
