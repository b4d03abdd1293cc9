import { isGiven } from './given.js';
import { mergeRaw } from './raw.js';
import type { Context, OptionTable, Properties } from './table.js';
import type { Given } from './given.js';

/** A property that is set without an option; a raw property of that name overrides it. */
export interface FixedProperty {
  readonly property: string;
  readonly value: string;
  /** Why, for the documentation. */
  readonly doc: string;
}

/** Translated options: for librdkafka, and for this package itself. */
export interface Translated<Settings> {
  /** librdkafka's properties. */
  readonly properties: Properties;
  /** The settings of this package itself. */
  readonly settings: Settings;
}

/** One options object and its table. */
export interface Part {
  readonly table: OptionTable;
  readonly given: Given;
}

/** Options given to librdkafka: fixed ones, then translated ones, then raw ones. */
export function translate(
  context: Context,
  fixed: readonly FixedProperty[],
  parts: readonly Part[],
): Properties {
  const properties: Properties = {};
  const explicit = new Map<string, string>();
  for (const { property, value } of fixed) properties[property] = value;
  for (const { table, given } of parts) {
    for (const row of table.rows) {
      if (row.handling.by !== 'librdkafka') continue;
      const value: unknown = given[row.name];
      const set = row.handling.translate(isGiven(value) ? value : row.default, context);
      Object.assign(properties, set);
      if (!isGiven(value)) continue;
      const own = row.handling.explicit?.(value) ?? Object.keys(set);
      for (const property of own) explicit.set(property, `${table.path}.${row.name}`);
    }
  }
  const sources = parts.map(({ table, given }) => ({
    path: `${table.path}.librdkafka`,
    raw: given['librdkafka'] as Given | undefined,
  }));
  return mergeRaw(properties, explicit, sources);
}

/** The nearest value within a property's range. */
export const clamp = (value: number, min: number, max: number): number =>
  Math.min(Math.max(Math.round(value), min), max);
