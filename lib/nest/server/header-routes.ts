import { isObservable, lastValueFrom } from 'rxjs';
import type { MessageHandler } from '@nestjs/microservices';
import type { RawHeader } from '../../codec/incoming.js';
import type { HeaderFilters, HeaderRouting } from '../../runner/topic-handling.js';
import type { KafkaHandlerOptions } from '../options/index.js';

/** So many handlers, at most, can match the same message: the core tells them by a number of 32 bits. */
export const MOST_SHARED = 32;

/** A handler, and what it asks of a message's headers. */
export interface HeaderRoute {
  readonly callback: MessageHandler;
  readonly headers: NonNullable<KafkaHandlerOptions['headers']>;
}

/** The handlers of a topic that ask for headers. Which of them take a message is found out by the core. */
export class HeaderRoutes {
  readonly routing: HeaderRouting;
  readonly #handlers: readonly MessageHandler[];
  readonly #rest: MessageHandler | null;
  /** Handlers that are called as one, by which they are. */
  readonly #together = new Map<number, MessageHandler>();

  /** `rest` gets what no other takes. */
  constructor(routes: readonly HeaderRoute[], rest: MessageHandler | null) {
    this.#handlers = routes.map(({ callback }) => callback);
    this.#rest = rest;
    const filters = routes.map(({ headers }) => filtersOf(headers));
    // A request has one answer: the first of those that match gives it.
    const events = routes.filter(({ callback }) => callback.isEventHandler);
    const shared = events.some((one, index) => events.slice(index + 1).some((other) => mayBoth(one, other)));
    this.routing = { filters, shared, rest: rest !== null };
  }

  /** The handler of a message that the core has not looked at, by its headers. */
  find(headers: readonly RawHeader[]): MessageHandler | null {
    let route = 0;
    for (const [index, filters] of this.routing.filters.entries()) {
      if (!filters.every(({ name, values }) => isMatch(headers, name, values))) continue;
      if (!this.routing.shared) return this.handler(index + 1);
      route |= 1 << index;
    }
    return this.handler(route);
  }

  /** The handler of a message, by what the core has found; null: there is none. */
  handler(route: number): MessageHandler | null {
    if (route === 0) return this.#rest;
    if (!this.routing.shared) return this.#handlers[route - 1] ?? null;
    let handler = this.#together.get(route);
    if (handler === undefined) {
      handler = together(this.#handlers.filter((_, index) => (route & (1 << index)) !== 0));
      this.#together.set(route, handler);
    }
    return handler;
  }
}

/** Whether a header is one of these texts, or, without texts, absent; as the core sees it. */
function isMatch(headers: readonly RawHeader[], wanted: string, values: string[] | undefined): boolean {
  const found = headers.flatMap(([name, value]) => (name === wanted && value !== null ? [value] : []));
  if (values === undefined) return found.length === 0;
  return found.some((value) => values.some((text) => value.equals(Buffer.from(text))));
}

/** Whether a message may have headers that both ask for. */
function mayBoth(one: HeaderRoute, other: HeaderRoute): boolean {
  return !Object.entries(one.headers).some(([name, wanted]) => {
    if (!Object.hasOwn(other.headers, name)) return false;
    const [these, those] = [textsOf(wanted), textsOf(other.headers[name] ?? null)];
    return these.length === 0 ? those.length > 0 : !these.some((text) => those.includes(text));
  });
}

function textsOf(wanted: string | readonly string[] | null): readonly string[] {
  if (wanted === null) return [];
  return typeof wanted === 'string' ? [wanted] : wanted;
}

function filtersOf(headers: HeaderRoute['headers']): HeaderFilters {
  return Object.entries(headers).map(([name, wanted]) =>
    wanted === null ? { name } : { name, values: [...textsOf(wanted)] },
  );
}

/** Several handlers as one, as NestJS calls all event handlers of a pattern. */
function together(handlers: readonly MessageHandler[]): MessageHandler {
  const first = handlers[0] as MessageHandler;
  if (!first.isEventHandler) return first;
  const events = handlers.filter(({ isEventHandler }) => isEventHandler);
  if (events.length === 1) return first;
  const all = async (data: unknown, context: unknown): Promise<void> => {
    await Promise.all(
      events.map(async (handler) => {
        const answer: unknown = await handler(data, context);
        if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
      }),
    );
  };
  return Object.assign(all as MessageHandler, { isEventHandler: true });
}
