import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { invalidValue, isGiven, type Check } from './checks.js';
import { hintFor, register } from './elsewhere.js';

/** librdkafka properties and their values. */
export type Properties = Record<string, string>;

/** Values of given options, checked and in the form the code uses. */
export type Given = Readonly<Record<string, any>>;

/** What a translation may look at besides its own option. */
export interface Context {
  readonly role: 'consumer' | 'producer' | 'admin';
  /** The given options of `client`. */
  readonly client: Given;
  /** The given options of the role itself. */
  readonly own: Given;
  /** The given options of `send` (producer) or `subscribe` (consumer). */
  readonly call: Given;
}

/** Who acts on an option. */
export type Handling =
  | {
      readonly by: 'librdkafka';
      /** The properties it may set, for the documentation and for finding contradictions. */
      readonly properties: readonly string[];
      /** Called with the value or the default; what it returns is set always. */
      readonly translate: (value: any, context: Context) => Properties;
      /** Those of the properties that the given value stands for; the others follow from it and may be set raw. Default: all. */
      readonly explicit?: (value: any) => readonly string[];
    }
  | { readonly by: 'layer' }
  | { readonly by: 'nothing'; readonly because: string }
  | { readonly by: 'refused'; readonly because: string; readonly instead: string };

/** One option: the single source of its check, its translation and its documentation. */
export interface OptionRow {
  readonly name: string;
  readonly check: Check;
  /** The value when it is not given. */
  readonly default?: unknown;
  /** The default in words, where it is not a plain value. */
  readonly defaultText?: string;
  readonly handling: Handling;
  /** One sentence for the documentation. */
  readonly doc: string;
}

/** All options of one object. */
export interface OptionTable {
  /** The object's name as paths show it, for example `consumer`. */
  readonly path: string;
  readonly rows: readonly OptionRow[];
}

/** A table that unknown options of other objects are looked for in, too. */
export function optionTable(table: OptionTable): OptionTable {
  register(table);
  return table;
}

/** `handling` of options that the layer acts on. */
export const layer: Handling = { by: 'layer' };

/** `handling` of options that set properties. */
export function sets(
  properties: readonly string[],
  translate: (value: any, context: Context) => Properties,
  explicit?: (value: any) => readonly string[],
): Handling {
  return { by: 'librdkafka', properties, translate, explicit };
}

/** `handling` of an option whose value is a property's value as it is. */
export const setsAsIs = (property: string): Handling =>
  sets([property], (value) => (isGiven(value) ? { [property]: String(value) } : {}));

/** `handling` of options that cannot work here. */
export const refused = (because: string, instead: string): Handling => ({ by: 'refused', because, instead });

/**
 * Checks an options object against its table and returns the options that are given.
 *
 * @throws KafkaJSInvalidOptionError naming the first option that is unknown, refused or of a wrong kind.
 */
export function readOptions(table: OptionTable, options: unknown, path = table.path): Given {
  if (!isGiven(options)) return {};
  if (typeof options !== 'object' || Array.isArray(options)) throw invalidValue(path, 'an object', options);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options as object)) {
    const row = table.rows.find((candidate) => candidate.name === name);
    const optionPath = `${path}.${name}`;
    if (row === undefined) {
      if (value === undefined) continue;
      throw unknownOption(table, path, name);
    }
    if (!isGiven(value)) continue;
    if (row.handling.by === 'refused') {
      const { because, instead } = row.handling;
      throw new KafkaJSInvalidOptionError(`Option ${optionPath} is not supported: ${because}; ${instead}`, {
        option: optionPath,
      });
    }
    const parsed = row.check.parse(value, optionPath);
    if (parsed === undefined) throw invalidValue(optionPath, row.check.text, value);
    given[name] = parsed;
  }
  return given;
}

/** An options object inside another one. */
export function nested(table: OptionTable): Check {
  return { text: 'an object', parse: (value, path) => readOptions(table, value, path), table };
}

function unknownOption(table: OptionTable, path: string, name: string): KafkaJSInvalidOptionError {
  const option = `${path}.${name}`;
  return new KafkaJSInvalidOptionError(`Unknown option ${option}: ${hintFor(table, path, name)}`, { option });
}
