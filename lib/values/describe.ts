import { types } from 'node:util';

// Values that an application throws, logs or returns may be anything: without a prototype, circular, with getters
// that throw. The functions here work for all of them.

/**
 * Limits of depth and number of values for objects that JSON refuses: an ORM's error may refer to its whole
 * connection pool.
 */
const [MOST_DEPTH, MOST_VALUES] = [6, 500];
/** Longest text of such a value, in characters. */
const MOST_TEXT = 8192;

/** Returns `read()`, or `otherwise` if it throws. */
function attempt<T, U>(read: () => T, otherwise: U): T | U {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** A string property of a value; undefined if reading it throws or gives something else. */
function textProperty(value: unknown, name: string): string | undefined {
  if (!isObject(value)) return undefined;
  const text = attempt(() => (value as Record<string, unknown>)[name], undefined);
  return typeof text === 'string' ? text : undefined;
}

/**
 * A thrown value as text: an error's message, a string itself, anything else as JSON. Never throws. An error without a
 * message is told of by those that it collects (Node.js's of a connection to a host with several addresses), its code or
 * its name.
 */
export function messageOf(thrown: unknown): string {
  const message = textProperty(thrown, 'message');
  if (message === '') {
    const name = textProperty(thrown, 'name');
    return collected(thrown) || textProperty(thrown, 'code') || (name !== 'Error' && name) || '';
  }
  if (message !== undefined) return message;
  return isObject(thrown) ? jsonOf(thrown) : attempt(() => String(thrown), 'something without a text');
}

/** The messages of an AggregateError's errors. */
function collected(thrown: unknown): string {
  const messages = attempt(() => {
    const { errors } = thrown as Partial<AggregateError>;
    return Array.isArray(errors) ? errors.map((error: unknown) => textProperty(error, 'message') ?? '') : [];
  }, []);
  return [...new Set(messages)].filter((message) => message !== '').join('; ');
}

/** The stack of an error, if it has one. Never throws. */
export function stackOf(thrown: unknown): string | undefined {
  return textProperty(thrown, 'stack');
}

/** A thrown value as an error: itself if it is one (of any realm), else a new one with its text. Never throws. */
export function errorFrom(thrown: unknown): Error {
  if (attempt(() => types.isNativeError(thrown) || thrown instanceof Error, false)) {
    // Checked now, because code that reads these later does not expect exceptions.
    const names = ['name', 'message', 'stack'] as const;
    if (names.every((name) => textProperty(thrown, name) !== undefined)) return thrown as Error;
  }
  const [name, message, stack] = [textProperty(thrown, 'name'), messageOf(thrown), stackOf(thrown)];
  const error = new Error(message, { cause: thrown });
  if (name !== undefined) error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

/**
 * JSON of any value. Values that JSON does not support are replaced: circular and deep parts by marks, BigInts by
 * digits. Never throws.
 */
export function jsonOf(value: unknown): string {
  return attempt(() => JSON.stringify(value), undefined) ?? JSON.stringify(plain(value));
}

const cut = (text: string): string => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text);

/** A copy that JSON can write. */
function plain(root: unknown): unknown {
  let left = MOST_VALUES;
  const above = new Set<object>();

  const copy = (value: unknown): unknown => {
    if (typeof value === 'string') return cut(value);
    if (!isObject(value)) {
      const isPlain = value === null || typeof value === 'number' || typeof value === 'boolean';
      return isPlain ? value : attempt(() => cut(String(value)), '[unreadable]');
    }
    if (above.has(value)) return '[circular]';
    if (above.size === MOST_DEPTH || left <= 0) return '[…]';
    above.add(value);
    try {
      return members(value);
    } catch (error) {
      return `[unreadable: ${cut(messageOfError(error))}]`;
    } finally {
      above.delete(value);
    }
  };

  const member = (owner: object, key: string): unknown => {
    left--;
    try {
      return copy((owner as Record<string, unknown>)[key]);
    } catch (error) {
      return `[unreadable: ${cut(messageOfError(error))}]`;
    }
  };

  const members = (value: object): unknown => {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      const written: unknown = attempt(() => toJSON.call(value), undefined);
      if (written !== undefined && written !== value) return copy(written);
    }
    if (Array.isArray(value)) {
      return Array.from({ length: Math.min(value.length, Math.max(left, 0)) }, (_, i) =>
        member(value, String(i)),
      );
    }
    const names = value instanceof Error ? ['name', 'message'] : [];
    const keys = [...new Set([...names, ...Object.keys(value)])];
    const entries = keys.slice(0, Math.max(left, 0)).map((key) => [key, member(value, key)]);
    return Object.fromEntries(entries) as unknown;
  };

  return copy(root);
}

/** Only an error's message: its other properties may be the unreadable ones. */
function messageOfError(error: unknown): string {
  return textProperty(error, 'message') ?? (isObject(error) ? 'an object was thrown' : String(error));
}
