import type { MessageHandler } from '@nestjs/microservices';
import { allEnded, handlerEnd, type HandlerEnd, type OnCombined } from './handler-ends.js';

// NestJS attaches each further event handler of a pattern to the one before it, as `next`, and joins what they answer with
// RxJS's `forkJoin`: the first error, or the first stream without a value, ends all of them. So what is attached answers NestJS
// nothing, and is awaited here.

/** The ends of a message's handlers, by its context. */
const messages = new WeakMap<object, HandlerEnd[]>();
/** The handler of each function that {@link attached} has made. */
const attachedHandlers = new WeakMap<object, MessageHandler>();

/**
 * The function that calls an event handler with those attached to it, and ends when all have: with the error of the first
 * one that failed. The handler itself if none is attached.
 */
export function withAttached(head: MessageHandler, onCombined: OnCombined): MessageHandler {
  if (!head.next) return head;
  const members = [head];
  for (let last = head; last.next; last = members.at(-1) as MessageHandler) {
    const next = attachedHandlers.get(last.next) ?? (last.next as MessageHandler);
    last.next = attached(next) as NonNullable<MessageHandler['next']>;
    members.push(next);
  }
  const all = async (data: unknown, context: object): Promise<void> => {
    const ends: HandlerEnd[] = [];
    messages.set(context, ends);
    // NestJS's handlers call those attached to them, at once or when what they need has been made.
    ends.unshift(handlerEnd(context, () => head(data, context as never)));
    await allEnded(context, ends);
  };
  const combined = Object.assign(all as MessageHandler, { isEventHandler: true });
  onCombined(combined, members);
  return combined;
}

/** What NestJS calls instead of an attached handler. */
function attached(handler: MessageHandler): MessageHandler {
  const call = (...args: unknown[]): unknown => {
    // NestJS puts a request's host before data and context if providers are made for each request.
    const context = args.at(-1) as object;
    const ends = messages.get(context);
    const answer = (): unknown => (handler as (...args: unknown[]) => unknown)(...args);
    // Without, it is not this server that calls it.
    if (ends === undefined) return answer();
    ends.push(handlerEnd(context, answer));
    return Promise.resolve();
  };
  // NestJS attaches the next one to the last that it finds.
  Object.defineProperty(call, 'next', {
    get: () => handler.next,
    set: (next: MessageHandler['next']) => {
      handler.next = next;
    },
  });
  attachedHandlers.set(call, handler);
  return call as MessageHandler;
}
