import type { MessageHandler } from '@nestjs/microservices';
import { matches } from '../../kafkajs/group/subscriptions.js';
import type { HandlerRegistry, Registration } from './handler-registry.js';

/** NestJS's `messageHandlers`, whose patterns may be regular expressions. */
export type HandlerTable = Map<string | RegExp, MessageHandler>;

/**
 * Registers a handler that NestJS's own `addHandler` would not register correctly: one with a regular expression, or
 * one that filters by headers. Returns false if NestJS has to register it.
 */
export function putHandler(
  table: HandlerTable,
  handlers: HandlerRegistry,
  { pattern, callback, isEventHandler, extras }: Registration,
): boolean {
  const known = table.get(pattern);
  // A handler that filters by headers is in NestJS's table only while its pattern has no other: it must not be called
  // together with others for all messages.
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

/** The last of the handlers linked by `next`. */
function lastOf(handler: MessageHandler): MessageHandler {
  let last = handler;
  while (last.next) last = last.next as MessageHandler;
  return last;
}

/** The handler of the first regular expression that a topic matches. */
export function findHandler(table: HandlerTable, topic: string): MessageHandler | null {
  for (const [pattern, handler] of table) {
    if (pattern instanceof RegExp && matches(pattern, topic)) return handler;
  }
  return null;
}
