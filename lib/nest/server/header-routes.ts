import type { MessageHandler } from '@nestjs/microservices';
import type { RawHeader } from '../../codec/incoming.js';
import type { HeaderFilters, HeaderRouting } from '../../runner/topic-handling.js';
import type { KafkaHandlerOptions } from '../options/index.js';
import { allEnded, handlerEnd, type OnCombined } from './handler-ends.js';

/** Most handlers that can match the same message: the core reports them as bits of a 32-bit number. */
export const MOST_SHARED = 32;

/** A handler and its conditions on a message's headers. */
export interface HeaderRoute {
  readonly callback: MessageHandler;
  readonly headers: NonNullable<KafkaHandlerOptions['headers']>;
}

/** The handlers of a topic that filter by headers. The core finds out which of them take a message. */
export class HeaderRoutes {
  readonly routing: HeaderRouting;
  readonly #handlers: readonly MessageHandler[];
  readonly #rest: MessageHandler | null;
  /** Combined handlers, by the bits of those that they call. */
  readonly #together = new Map<number, MessageHandler>();
  readonly #onCombined: OnCombined;

  /** `rest` gets the messages that no other takes. */
  constructor(routes: readonly HeaderRoute[], rest: MessageHandler | null, onCombined: OnCombined) {
    this.#onCombined = onCombined;
    this.#handlers = routes.map(({ callback }) => callback);
    this.#rest = rest;
    const filters = routes.map(({ headers }) => filtersOf(headers));
    // A request is handled by the first matching handler only, because it has one answer.
    const events = routes.filter(({ callback }) => callback.isEventHandler);
    const shared = events.some((one, index) =>
      events.slice(index + 1).some((other) => mayBoth(one.headers, other.headers)),
    );
    this.routing = { filters, shared, rest: rest !== null };
  }

  /** All handlers; those that may get the same message are not combined. */
  get handlers(): readonly MessageHandler[] {
    return this.#rest === null ? this.#handlers : [...this.#handlers, this.#rest];
  }

  /** The handler of a message by its headers, for messages that the core did not check. */
  find(headers: readonly RawHeader[]): MessageHandler | null {
    let route = 0;
    for (const [index, filters] of this.routing.filters.entries()) {
      if (!filters.every(({ name, values }) => isMatch(headers, name, values))) continue;
      if (!this.routing.shared) return this.handler(index + 1);
      route |= 1 << index;
    }
    return this.handler(route);
  }

  /** The handler of a message by the core's result; null if there is none. */
  handler(route: number): MessageHandler | null {
    if (route === 0) return this.#rest;
    if (!this.routing.shared) return this.#handlers[route - 1] ?? null;
    let handler = this.#together.get(route);
    if (handler === undefined) {
      const matching = this.#handlers.filter((_, index) => (route & (1 << index)) !== 0);
      handler = together(matching, this.#onCombined);
      this.#together.set(route, handler);
    }
    return handler;
  }
}

/** Whether a header has one of these values or, without values, is absent; with the core's rules. */
function isMatch(headers: readonly RawHeader[], wanted: string, values: string[] | undefined): boolean {
  const found = headers.flatMap(([name, value]) => (name === wanted && value !== null ? [value] : []));
  if (values === undefined) return found.length === 0;
  return found.some((value) => values.some((text) => value.equals(Buffer.from(text))));
}

/** Whether a message may meet the conditions of both handlers. */
export function mayBoth(one: HeaderRoute['headers'], other: HeaderRoute['headers']): boolean {
  return !Object.entries(one).some(([name, wanted]) => {
    if (!Object.hasOwn(other, name)) return false;
    const [these, those] = [textsOf(wanted), textsOf(other[name] ?? null)];
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

/** Combines handlers into one, as NestJS calls all event handlers of a pattern. */
function together(handlers: readonly MessageHandler[], onCombined: OnCombined): MessageHandler {
  const first = handlers[0] as MessageHandler;
  if (!first.isEventHandler) return first;
  const events = handlers.filter(({ isEventHandler }) => isEventHandler);
  if (events.length === 1) return first;
  const all = (data: unknown, context: object): Promise<void> =>
    allEnded(
      context,
      events.map((handler) => handlerEnd(context, () => handler(data, context as never))),
    );
  const combined = Object.assign(all as MessageHandler, { isEventHandler: true });
  onCombined(combined, events);
  return combined;
}
