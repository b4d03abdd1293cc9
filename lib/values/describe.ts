import { types } from 'node:util';

// What an application throws, logs and returns may be anything: without a prototype, circular, with getters that throw. Whatever is
// here answers for any of it.

/** How deep, and how many values, are written of what JSON refuses: an ORM's error may hold its whole pool of connections. */
const [MOST_DEPTH, MOST_VALUES] = [6, 500];
/** Longest text that is written of it, in characters. */
const MOST_TEXT = 8192;

/** Answers `read()`, or `otherwise` when it throws. */
function attempt<T, U>(read: () => T, otherwise: U): T | U {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** A text property of a value, where reading it neither throws nor answers something else. */
function textProperty(value: unknown, name: string): string | undefined {
  if (!isObject(value)) return undefined;
  const text = attempt(() => (value as Record<string, unknown>)[name], undefined);
  return typeof text === 'string' ? text : undefined;
}

/** What was thrown, in words: an error's message, a text as it is, the rest as JSON. Never throws. */
export function messageOf(thrown: unknown): string {
  const message = textProperty(thrown, 'message');
  if (message !== undefined) return message;
  return isObject(thrown) ? jsonOf(thrown) : attempt(() => String(thrown), 'something without a text');
}

/** The stack of an error, if it has one. Never throws. */
export function stackOf(thrown: unknown): string | undefined {
  return textProperty(thrown, 'stack');
}

/** What was thrown, as an error: itself where it is one, of whichever realm, else one that has its words. Never throws. */
export function errorFrom(thrown: unknown): Error {
  if (attempt(() => types.isNativeError(thrown) || thrown instanceof Error, false)) {
    // Reading these later must not fail, where nobody expects it.
    const names = ['name', 'message', 'stack'] as const;
    if (names.every((name) => textProperty(thrown, name) !== undefined)) return thrown as Error;
  }
  const [name, message, stack] = [textProperty(thrown, 'name'), messageOf(thrown), stackOf(thrown)];
  const error = new Error(message, { cause: thrown });
  if (name !== undefined) error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** JSON of any value. What JSON cannot say is written some other way: circles and depths as marks, BigInts as digits. Never throws. */
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

/** An error's own words only: its other properties may be what could not be read. */
function messageOfError(error: unknown): string {
  return textProperty(error, 'message') ?? (isObject(error) ? 'an object was thrown' : String(error));
}
