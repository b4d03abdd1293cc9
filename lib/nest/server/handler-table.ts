import type { MessageHandler } from '@nestjs/microservices';
import { matches } from '../../kafkajs/group/subscriptions.js';
import type { HandlerRegistry, Registration } from './handler-registry.js';

/** NestJS's `messageHandlers`, with patterns that are expressions. */
export type HandlerTable = Map<string | RegExp, MessageHandler>;

/**
 * Registers a handler in NestJS's table where NestJS's own `addHandler` would not do it as it is meant: one of an expression, or one that
 * asks for headers. False when it is NestJS's to register.
 */
export function putHandler(
  table: HandlerTable,
  handlers: HandlerRegistry,
  { pattern, callback, isEventHandler, extras }: Registration,
): boolean {
  const known = table.get(pattern);
  // One that asks for headers stands in NestJS's table only as long as no other of its pattern does: it is called for some messages
  // alone, and not together with the others.
  const asks = handlers.asksForHeaders(extras);
  const isApart = asks || (known !== undefined && handlers.asksForHeaders(known.extras ?? {}));
  if (!isApart && !(pattern instanceof RegExp)) return false;
  callback.isEventHandler = isEventHandler;
  callback.extras = extras;
  if (isApart) {
    if (!asks || !known) table.set(pattern, callback);
  } else if (known === undefined || !isEventHandler) table.set(pattern, callback);
  else lastOf(known).next = callback as NonNullable<MessageHandler['next']>;
  return true;
}

/** The last of the handlers that are called one after the other. */
function lastOf(handler: MessageHandler): MessageHandler {
  let last = handler;
  while (last.next) last = last.next as MessageHandler;
  return last;
}

/** The handler of the first expression that a topic matches. */
export function findHandler(table: HandlerTable, topic: string): MessageHandler | null {
  for (const [pattern, handler] of table) {
    if (pattern instanceof RegExp && matches(pattern, topic)) return handler;
  }
  return null;
}
