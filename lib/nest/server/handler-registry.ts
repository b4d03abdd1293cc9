import { isDeepStrictEqual } from 'node:util';
import type { MessageHandler } from '@nestjs/microservices';
import { KafkaJSInvalidOptionError } from '../../kafkajs/errors/index.js';
import { isGiven } from '../../options/given.js';
import { readHandler, type KafkaHandlerOptions } from '../options/index.js';
import { handlerPlace } from './handler-places.js';

/** A handler as NestJS registers it. */
export interface Registration {
  /** As NestJS knows it: text, or an expression. */
  readonly pattern: string | RegExp;
  readonly callback: MessageHandler;
  readonly isEventHandler: boolean;
  /** Those of its decorator. */
  readonly extras: Record<string, any>;
}

interface Entry extends Registration {
  options: KafkaHandlerOptions;
}

/** The options that handlers have of their own: `kafka` in the extras of their decorators. */
export class HandlerRegistry {
  readonly #entries: Entry[] = [];
  readonly #options = new Map<MessageHandler, KafkaHandlerOptions>();

  /** A handler is registered; its options are looked at by {@link check}. */
  add(registration: Registration): void {
    this.#entries.push({ ...registration, options: {} });
  }

  /**
   * Reads the options of all handlers.
   *
   * @throws KafkaJSInvalidOptionError naming class, method and option, for an option that is unknown, wrong or not supported; and, naming
   * both handlers, for one that is not the same in two handlers that get the same messages.
   */
  check(): void {
    this.#options.clear();
    for (const entry of this.#entries) entry.options = read(entry);
    for (const together of this.#together()) {
      const options = merged(together);
      if (Object.keys(options).length === 0) continue;
      for (const { callback } of together) this.#options.set(callback, options);
    }
  }

  /** Whether any handler has options of its own. */
  get haveOptions(): boolean {
    return this.#options.size > 0;
  }

  /** The options of a handler; undefined when it has none of its own. */
  options(handler: MessageHandler | null): KafkaHandlerOptions | undefined {
    return handler ? this.#options.get(handler) : undefined;
  }

  /** The options of all handlers that have some. */
  all(): Iterable<KafkaHandlerOptions> {
    return this.#options.values();
  }

  /** Handlers that are called for the same messages: NestJS calls all event handlers of a pattern, as one. */
  #together(): Iterable<Entry[]> {
    const groups = new Map<string, Entry[]>();
    for (const entry of this.#entries) {
      const key = `${entry.isEventHandler} ${entry.pattern instanceof RegExp} ${String(entry.pattern)}`;
      const group = groups.get(key);
      if (group) group.push(entry);
      else groups.set(key, [entry]);
    }
    return groups.values();
  }
}

function placeOf({ extras, pattern }: Registration): string {
  return `${handlerPlace(extras) ?? 'the handler'} of ${patternOf(pattern)}`;
}

function patternOf(pattern: string | RegExp): string {
  return pattern instanceof RegExp ? String(pattern) : `"${pattern}"`;
}

function read(entry: Entry): KafkaHandlerOptions {
  const given: unknown = entry.extras['kafka'];
  if (!isGiven(given)) return {};
  try {
    return readHandler(given);
  } catch (error) {
    if (!(error instanceof KafkaJSInvalidOptionError)) throw error;
    throw new KafkaJSInvalidOptionError(`${error.message} (${placeOf(entry)})`, { option: error.option });
  }
}

/** What handlers say together that are called for the same messages. What one of them leaves out, the other decides. */
function merged(entries: readonly Entry[]): KafkaHandlerOptions {
  const all: Record<string, unknown> = {};
  const from = new Map<string, Entry>();
  for (const entry of entries) {
    for (const [name, value] of Object.entries(entry.options)) {
      const other = from.get(name);
      if (other !== undefined && !isDeepStrictEqual(all[name], value)) {
        const option = `kafka.${name}`;
        throw new KafkaJSInvalidOptionError(
          `Option ${option} is not the same in ${placeOf(other)} and in ${placeOf(entry)}, which get the same messages: give both the same, or leave it out of one`,
          { option },
        );
      }
      all[name] = value;
      from.set(name, entry);
    }
  }
  return all;
}
