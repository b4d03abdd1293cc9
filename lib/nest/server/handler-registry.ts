import { isDeepStrictEqual } from 'node:util';
import type { MessageHandler } from '@nestjs/microservices';
import { KafkaJSInvalidOptionError } from '../../kafkajs/errors/index.js';
import { resolveConcurrency } from '../../options/concurrency.js';
import { isGiven } from '../../options/given.js';
import { uncommitted, type RunSettings } from '../../options/run.js';
import type { BatchLimits, TopicHandling } from '../../runner/topic-handling.js';
import {
  readHandler,
  type DeadLetterOptions,
  type KafkaHandlerOptions,
  type NestKafkaOptions,
} from '../options/index.js';
import { withAttached } from './attached-handlers.js';
import { deadLetterOf } from './failure-policies.js';
import type { OnCombined } from './handler-ends.js';
import { handlerPlace, isIdempotent } from './handler-places.js';
import { HeaderRoutes, mayBoth, MOST_SHARED, type HeaderRoute } from './header-routes.js';
import { refuseTransactional } from './transactions/refusals.js';

/** A handler that NestJS registers. */
export interface Registration {
  /** The pattern: text or a regular expression. */
  readonly pattern: string | RegExp;
  readonly callback: MessageHandler;
  readonly isEventHandler: boolean;
  /** The extras of its decorator. */
  readonly extras: Record<string, any>;
}

/** A handler as it is told of: its class and method, its pattern, and its options as they are used. */
export interface DescribedHandler {
  readonly place: string;
  /** The same in a worker thread. */
  readonly name: string;
  readonly options: KafkaHandlerOptions;
}

/** A name of a handler that is the same in each thread. */
export function handlerName({ pattern, isEventHandler, extras }: Omit<Registration, 'callback'>): string {
  const { headers } = (extras['kafka'] ?? {}) as KafkaHandlerOptions;
  const filter = isGiven(headers) ? ` with headers ${JSON.stringify(headers)}` : '';
  return `${isEventHandler ? 'event' : 'request'} ${patternOf(pattern)}${filter}`;
}

/** The handlers of a topic. */
export interface TopicRoute {
  /** The handler of messages that no other takes. */
  readonly handler: MessageHandler | null;
  /** The handlers that filter by headers. */
  readonly routes?: HeaderRoutes | undefined;
  readonly handling?: TopicHandling | undefined;
}

interface Entry extends Registration {
  options: KafkaHandlerOptions;
}

/**
 * Options that all handlers of a topic share; those of the second list must be given by all of its handlers or by
 * none.
 */
const OF_TOPIC = ['concurrency'] as const;
const OF_ALL = ['ack', 'batch', 'transactional'] as const;

/** Why handlers have to agree that may match the same message by their headers. */
const SOME_MESSAGES = 'which may get the same message by their headers';

/** The options of single handlers: `kafka` in the extras of their decorators. */
export class HandlerRegistry {
  readonly #entries: Entry[] = [];
  readonly #options = new Map<MessageHandler, KafkaHandlerOptions>();
  readonly #routes = new Map<MessageHandler, TopicRoute>();
  /** What calls a handler together with those attached to it. */
  readonly #attached = new Map<MessageHandler, MessageHandler>();
  /** Those with `@Idempotent`, and those that call one of them. */
  readonly #idempotent = new Set<MessageHandler>();
  readonly #given: (options: unknown, place: string) => unknown;

  /** `given` returns the options of a handler to use; `place` names the handler. */
  constructor(given: (options: unknown, place: string) => unknown) {
    this.#given = given;
  }

  /** Registers a handler; its options are checked by {@link check}. */
  add(registration: Registration): void {
    this.#entries.push({ ...registration, options: {} });
    if (isIdempotent(registration.extras)) this.#idempotent.add(registration.callback);
  }

  /** What is known of handlers counts for one that calls them. */
  readonly #combined: OnCombined = (combined, members) => {
    if (members.some((member) => this.#idempotent.has(member))) this.#idempotent.add(combined);
    const options = merged(
      this.#entries.filter(({ callback }) => members.includes(callback)),
      SOME_MESSAGES,
    );
    if (Object.keys(options).length > 0) this.#options.set(combined, options);
  };

  /** Whether a handler, or one that is called with it, has `@Idempotent`. */
  isIdempotent(handler: MessageHandler): boolean {
    return this.#idempotent.has(handler);
  }

  /** What calls a handler that NestJS has found, with those attached to it. */
  called(found: MessageHandler | null): MessageHandler | null {
    return (found && this.#attached.get(found)) ?? found;
  }

  /** Whether a handler filters by headers, so that NestJS must not call it for all messages of its pattern. */
  asksForHeaders({ kafka }: Record<string, any>): boolean {
    return isGiven((kafka as KafkaHandlerOptions | null | undefined)?.headers);
  }

  /**
   * Checks the options of all handlers.
   *
   * @throws KafkaJSInvalidOptionError naming class, method and option, for an option that is unknown, wrong or not
   * supported; and, naming both handlers, for one that must be equal in two handlers and is not.
   */
  check(run: Pick<RunSettings, 'autoCommit' | 'concurrency'>, server: NestKafkaOptions): void {
    this.#options.clear();
    this.#routes.clear();
    this.#attached.clear();
    for (const entry of this.#entries) entry.options = this.#read(entry);
    const groups = grouped(this.#entries, ({ pattern }) => keyOf(pattern));
    for (const entries of groups) {
      const calledTogether = ({ isEventHandler, options: { headers } }: Entry): string =>
        `${isEventHandler} ${JSON.stringify(headers)}`;
      for (const together of grouped(entries, calledTogether)) {
        const options = merged(together, 'which get the same messages');
        refuseRetryTopics(together[0] as Entry, options, deadLetterOf(server, options));
        if (Object.keys(options).length === 0) continue;
        for (const { callback } of together) this.#options.set(callback, options);
      }
      checkShared(entries);
      const rest = unfiltered(entries);
      if (rest?.isEventHandler) this.#attached.set(rest, withAttached(rest, this.#combined));
      const route = routeOf(entries, run, this.called(rest), this.#combined);
      if (route?.handling?.isTransactional) {
        const { order } = route.handling.concurrency;
        for (const { isEventHandler, callback, ...entry } of entries) {
          const place = placeOf({ ...entry, isEventHandler, callback });
          const options = this.#options.get(callback) ?? entry.options;
          const deadLetter = deadLetterOf(server, options);
          const handler = { place, isEventHandler, isIdempotent: isIdempotent(entry.extras), options };
          refuseTransactional({ ...handler, order, deadLetter }, server);
        }
      }
      if (route) for (const { callback } of entries) this.#routes.set(callback, route);
    }
  }

  #read(entry: Entry): KafkaHandlerOptions {
    if (!isGiven(entry.extras['kafka'])) return {};
    const place = placeOf(entry);
    const given = this.#given(entry.extras['kafka'], place);
    if (!isGiven(given)) return {};
    try {
      const { transactional, ...options } = readHandler(given);
      // `false` counts as not given when the handlers of a topic are compared.
      return transactional ? { ...options, transactional } : options;
    } catch (error) {
      if (!(error instanceof KafkaJSInvalidOptionError)) throw error;
      throw new KafkaJSInvalidOptionError(`${error.message} (${place})`, { option: error.option });
    }
  }

  /** Whether any handler has options of its own. */
  get haveOptions(): boolean {
    return this.#options.size > 0;
  }

  /** The options of a handler; undefined if it has none. */
  options(handler: MessageHandler | null): KafkaHandlerOptions | undefined {
    return handler ? this.#options.get(handler) : undefined;
  }

  /** Whether any handler is transactional. */
  get areTransactional(): boolean {
    return [...this.#options.values()].some(({ transactional }) => transactional);
  }

  /** The options of all handlers that have any. */
  all(): Iterable<KafkaHandlerOptions> {
    return this.#options.values();
  }

  /** All handlers, in the order of their registration. */
  described(): DescribedHandler[] {
    return this.#entries.map((entry) => {
      const { options } = entry;
      return { place: placeOf(entry), name: handlerName(entry), options };
    });
  }

  /** The `deadLetter` of each handler of a topic, from the one that NestJS has found; they differ where handlers filter by headers. */
  deadLetters(found: MessageHandler | null, server: NestKafkaOptions): HandlerDeadLetter[] {
    const { handler, routes } = this.route(found);
    return (routes?.handlers ?? [handler]).map((each) => ({
      isRequest: each?.isEventHandler === false,
      deadLetter: deadLetterOf(server, this.options(each)),
    }));
  }

  /** All handlers of a topic, from the one that NestJS has found. */
  route(found: MessageHandler | null): TopicRoute {
    return (found && this.#routes.get(found)) ?? { handler: this.called(found) };
  }
}

/** What becomes of the messages of one handler that fail. */
export interface HandlerDeadLetter {
  readonly isRequest: boolean;
  /** Its own options merged over the server's. */
  readonly deadLetter: DeadLetterOptions | undefined;
}

function keyOf(pattern: string | RegExp): string {
  return `${pattern instanceof RegExp} ${String(pattern)}`;
}

function grouped(entries: readonly Entry[], keyed: (entry: Entry) => string): Iterable<Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const key = keyed(entry);
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  return groups.values();
}

function placeOf({ extras, pattern }: Registration): string {
  return `${handlerPlace(extras) ?? 'the handler'} of ${patternOf(pattern)}`;
}

function patternOf(pattern: string | RegExp): string {
  return pattern instanceof RegExp ? String(pattern) : `"${pattern}"`;
}

/** Refuses handlers that may get the same message and say different things of it. */
function checkShared(entries: readonly Entry[]): void {
  const events = entries.filter(({ isEventHandler }) => isEventHandler);
  for (const [index, one] of events.entries()) {
    for (const other of events.slice(index + 1)) {
      const [these, those] = [one.options.headers, other.options.headers];
      if (these && those && mayBoth(these, those)) merged([one, other], SOME_MESSAGES);
    }
  }
}

/**
 * Merges the options of a topic's handlers: an option that one handler leaves out is taken from another. Their `headers` may
 * differ.
 */
function merged(
  entries: readonly Entry[],
  because: string,
  only?: readonly (keyof KafkaHandlerOptions)[],
): KafkaHandlerOptions {
  const all: Record<string, unknown> = {};
  const from = new Map<string, Entry>();
  for (const entry of entries) {
    for (const [name, value] of Object.entries(entry.options)) {
      if (only && !(only as readonly string[]).includes(name)) continue;
      const other = name === 'headers' ? undefined : from.get(name);
      if (other !== undefined && !isDeepStrictEqual(all[name], value))
        throw differs(name, other, entry, because);
      all[name] = value;
      from.set(name, entry);
    }
  }
  return all;
}

function differs(name: string, one: Entry, other: Entry, because: string): KafkaJSInvalidOptionError {
  const option = `kafka.${name}`;
  return new KafkaJSInvalidOptionError(
    `Option ${option} is not the same in ${placeOf(one)} and in ${placeOf(other)}, ${because}: give both the same, or leave it out of one`,
    { option },
  );
}

/** The route of a pattern's handlers; undefined if there is only what NestJS has found. */
function routeOf(
  entries: readonly Entry[],
  run: Pick<RunSettings, 'autoCommit' | 'concurrency'>,
  rest: MessageHandler | null,
  onCombined: OnCombined,
): TopicRoute | undefined {
  const topic = merged(entries, 'which handle the same topic', OF_TOPIC);
  const [first] = entries as [Entry];
  for (const name of OF_ALL) {
    const other = entries.find(({ options }) => !isDeepStrictEqual(options[name], first.options[name]));
    if (other) throw differs(name, first, other, 'which handle the same topic');
  }
  const routes = routesOf(entries, rest, onCombined);
  const batch = batchOf(first);
  const isManual = first.options.ack === 'manual';
  const concurrency = topic.concurrency ? resolveConcurrency(topic.concurrency) : run.concurrency;
  if (batch && concurrency.order !== 'partition') throw unordered(first, concurrency.order);
  const isTransactional = first.options.transactional ?? false;
  const handling = { concurrency, isManual, batch, isTransactional, routing: routes?.routing };
  if (!run.autoCommit) {
    const option = isManual ? 'ack' : 'concurrency';
    const entry = entries.find(({ options }) => options[option] !== undefined);
    const isRefused = isManual || (topic.concurrency && concurrency.order !== 'partition');
    if (isRefused && entry) {
      const error = uncommitted(`kafka.${option}`);
      throw new KafkaJSInvalidOptionError(`${error.message} (${placeOf(entry)})`, { option: error.option });
    }
  }
  const isUsual = !isManual && !batch && !isTransactional && topic.concurrency === undefined;
  if (routes === undefined && isUsual) return undefined;
  return { handler: rest, routes, handling };
}

const BATCH_DEFAULTS: BatchLimits = { maxMessages: 500, maxBytes: 1_048_576, maxWait: 0 };

/** The batch limits of a topic's handlers. */
function batchOf(entry: Entry): BatchLimits | undefined {
  const { batch } = entry.options;
  if (batch === undefined) return undefined;
  if (!entry.isEventHandler) {
    const option = 'kafka.batch';
    throw new KafkaJSInvalidOptionError(
      `Option ${option} is for events: a request has an answer of its own. Use @BatchPattern, or leave it out (${placeOf(entry)})`,
      { option },
    );
  }
  if (isIdempotent(entry.extras)) {
    const option = 'kafka.batch';
    throw new KafkaJSInvalidOptionError(
      `Option ${option} cannot be with @Idempotent: its key would stand for whatever comes together, and that is different when it comes again. Ask the store for each message in the handler, or take messages one by one with @EventPattern (${placeOf(entry)})`,
      { option },
    );
  }
  return { ...BATCH_DEFAULTS, ...batch };
}

/**
 * Refuses retry topics for handlers of batches and with manual acks: the consumer of retry topics hands single
 * messages to a handler, and they end with it.
 */
function refuseRetryTopics(
  entry: Entry,
  { batch, ack }: KafkaHandlerOptions,
  deadLetter: DeadLetterOptions | undefined,
): void {
  if (!deadLetter?.retryTopics) return;
  if (batch === undefined && ack !== 'manual') return;
  const option = batch === undefined ? 'kafka.ack' : 'kafka.batch';
  throw new KafkaJSInvalidOptionError(
    `Option ${option} cannot be with deadLetter.retryTopics, whose messages come one by one and count when their handler has ended. Leave one of them out, or give the handler deadLetter: { retryTopics: false } (${placeOf(entry)})`,
    { option },
  );
}

function unordered(entry: Entry, order: string): KafkaJSInvalidOptionError {
  const option = 'kafka.batch';
  return new KafkaJSInvalidOptionError(
    `Option ${option} cannot be with the order "${order}": a batch is of one partition, in its order. Leave one of them out, or give the handler concurrency: { order: "partition" } (${placeOf(entry)})`,
    { option },
  );
}

/** NestJS's handler for messages that no other takes: the last registered one for requests, the first for events. */
function unfiltered(entries: readonly Entry[]): MessageHandler | null {
  const rest = entries.filter(({ options }) => options.headers === undefined);
  const last = rest.findLast(({ isEventHandler }) => !isEventHandler);
  return (last ?? rest[0])?.callback ?? null;
}

function routesOf(
  entries: readonly Entry[],
  rest: MessageHandler | null,
  onCombined: OnCombined,
): HeaderRoutes | undefined {
  const filtering: HeaderRoute[] = [];
  for (const { callback, options } of entries) {
    if (options.headers) filtering.push({ callback, headers: options.headers });
  }
  if (filtering.length === 0) return undefined;
  const routes = new HeaderRoutes(filtering, rest, onCombined);
  if (routes.routing.shared && filtering.length > MOST_SHARED) {
    const option = 'kafka.headers';
    throw new KafkaJSInvalidOptionError(
      `Option ${option}: ${filtering.length} handlers of ${patternOf((entries[0] as Entry).pattern)} ask for headers, and some may match the same message; at most ${MOST_SHARED} can. Let their texts of one header differ`,
      { option },
    );
  }
  return routes;
}
