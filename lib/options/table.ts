import { isGiven, type Given } from './given.js';

/** librdkafka properties and their values. */
export type Properties = Record<string, string>;

/** What an option's value must be. */
export interface Check {
  /** Description for the error and the documentation. */
  readonly text: string;
  /** The value in the form that the code uses, or undefined if it is invalid. May throw an error of its own. */
  readonly parse: (value: unknown, path: string) => unknown;
  /** The options of the value, if it is an options object. */
  readonly table?: OptionTable;
}

/** The other options that a translation may use. */
export interface Context {
  readonly role: 'consumer' | 'producer' | 'admin';
  /** The given options of `client`. */
  readonly client: Given;
  /** The given options of the role itself. */
  readonly own: Given;
  /** The given options of `send` (producer) or `subscribe` (consumer). */
  readonly call: Given;
}

/** How an option is handled. */
export type Handling =
  | {
      readonly by: 'librdkafka';
      /** The properties it may set, for the documentation and for finding contradictions. */
      readonly properties: readonly string[];
      /** Called with the value or the default; the returned properties are always set. */
      readonly translate: (value: any, context: Context) => Properties;
      /**
       * The properties that the given value sets explicitly; the others are derived and may be overridden by raw
       * ones. Default: all.
       */
      readonly explicit?: (value: any) => readonly string[];
    }
  | { readonly by: 'layer' }
  | { readonly by: 'nothing'; readonly because: string }
  | { readonly by: 'refused'; readonly because: string; readonly instead: string };

/** One option: the single source of its check, its translation and its documentation. */
export interface OptionRow {
  readonly name: string;
  readonly check: Check;
  /** The value if the option is not given. */
  readonly default?: unknown;
  /** A description of the default, if it is not a plain value. */
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

/** `handling` of options that this package itself uses. */
export const layer: Handling = { by: 'layer' };

/** `handling` of options that set properties. */
export function sets(
  properties: readonly string[],
  translate: (value: any, context: Context) => Properties,
  explicit?: (value: any) => readonly string[],
): Handling {
  return { by: 'librdkafka', properties, translate, explicit };
}

/** `handling` of an option whose value is that of a property. */
export const setsAsIs = (property: string): Handling =>
  sets([property], (value) => (isGiven(value) ? { [property]: String(value) } : {}));

/** `handling` of options that are not supported. */
export const refused = (because: string, instead: string): Handling => ({ by: 'refused', because, instead });
