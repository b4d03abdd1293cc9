import { isAbsolute } from 'node:path';
import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { isGiven } from './given.js';
import type { Check } from './table.js';

/** A whole number. Numeric text is accepted too, as in kafkajs, because values often come from the environment. */
export function integer(min = 0, max = Number.MAX_SAFE_INTEGER, unit = ''): Check {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  return {
    text: `a number${unit && ` of ${unit}`}, ${range}`,
    parse: (value) => {
      const number = toNumber(value);
      if (number === Infinity && max === Number.MAX_SAFE_INTEGER) return number;
      const rounded = Math.round(number);
      return rounded >= min && rounded <= max ? rounded : undefined;
    },
  };
}

/** A time in milliseconds. */
export const milliseconds = (min = 0, max?: number): Check => integer(min, max, 'milliseconds');
/** A number of bytes. */
export const bytes = (min = 1, max?: number): Check => integer(min, max, 'bytes');

/** A number with a fraction. */
export function decimal(min: number): Check {
  return {
    text: `a number, ${min} or more`,
    parse: (value) => {
      const number = toNumber(value);
      return number >= min ? number : undefined;
    },
  };
}

function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}

const ofType = (type: string, text: string): Check => ({
  text,
  parse: (value) => (typeof value === type ? value : undefined),
});

export const boolean = ofType('boolean', 'true or false');
export const string = ofType('string', 'a string');
export const callback = ofType('function', 'a function');
export const anything: Check = { text: 'any value', parse: (value) => value };

/** A module: a worker thread takes no path that is relative to the file that names it. */
export const moduleFile: Check = {
  text: 'an absolute path or a file URL',
  parse: (value) =>
    (value instanceof URL && value.protocol === 'file:') || (typeof value === 'string' && isAbsolute(value))
      ? value
      : undefined,
};

/** An object that is not checked further. */
export const object: Check = {
  text: 'an object',
  parse: (value) => (typeof value === 'object' && !Array.isArray(value) ? value : undefined),
};

/** An array of functions. */
export const callbacks: Check = {
  text: 'an array of functions',
  parse: (value) =>
    Array.isArray(value) && value.every((item) => typeof item === 'function') ? value : undefined,
};

/** One of a set of numbers, by their names. */
export function numberOf(names: Readonly<Record<string, number>>): Check {
  const text = Object.entries(names).map(([name, number]) => `${number} (${name})`);
  return {
    text: `one of ${text.join(', ')}`,
    parse: (value) => {
      const number = toNumber(value);
      return Object.values(names).includes(number) ? number : undefined;
    },
  };
}

const RAW_TYPES: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);

/** Raw librdkafka properties; the keys are checked when they are merged. */
export const rawProperties: Check = {
  text: 'an object of strings, numbers and booleans',
  parse: (value) => {
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    const values = Object.values(value as object).filter(isGiven);
    return values.every((item) => RAW_TYPES.has(typeof item)) ? value : undefined;
  },
};

/** An error that names the option. The value is never shown, because it may be a misplaced password. */
export function invalidValue(path: string, expected: string, value: unknown): KafkaJSInvalidOptionError {
  const message = `Invalid option ${path}: expected ${expected}, got ${kindOf(value, expected)}`;
  return new KafkaJSInvalidOptionError(message, { option: path });
}

function kindOf(value: unknown, expected: string): string {
  if (value === null || value === undefined || Number.isNaN(value)) return String(value);
  if (Array.isArray(value)) return 'an array';
  const kind = typeof value;
  const article = kind === 'object' ? 'an' : 'a';
  return expected.startsWith(`${article} ${kind}`) ? `another ${kind}` : `${article} ${kind}`;
}

/** One of these words. */
export function oneOf(...words: readonly string[]): Check {
  return {
    text: words.map((word) => `"${word}"`).join(' or '),
    parse: (value) => (typeof value === 'string' && words.includes(value) ? value : undefined),
  };
}
