import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { apart, askedFor } from '../context/verdict.js';

// A message of several handlers has ended when all of them have: while one still runs, it must not be delivered to it
// once more.

/** Told of a handler that was combined of several ones. */
export type OnCombined = (combined: MessageHandler, members: readonly MessageHandler[]) => void;

/** A handler's end: its error if it has failed. */
export type HandlerEnd = Promise<{ readonly error: unknown } | undefined>;

/** Calls a handler of a message, and waits for the end of a stream that it answers, which may be empty. */
export function handlerEnd(context: object, call: () => unknown): HandlerEnd {
  return apart(context, async () => {
    try {
      const answer = await call();
      if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
      return undefined;
    } catch (error) {
      return { error };
    }
  });
}

/** Waits for all handlers of a message, also for those that are added meanwhile; rejects with the error of the first that has one. */
export async function allEnded(context: object, ends: readonly HandlerEnd[]): Promise<void> {
  let failure: Awaited<HandlerEnd>;
  for (const end of ends) {
    const own = await end;
    failure ??= own;
  }
  if (failure) throw failure.error;
  askedFor(context)?.allEnded();
}
