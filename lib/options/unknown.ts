import { hintFor } from './elsewhere.js';
import { isGiven } from './given.js';
import { saslOptions } from './sasl.js';
import type { OptionTable } from './table.js';

/** An option that no table has. */
export interface UnknownOption {
  /** For example `consumer.groupID`. */
  readonly path: string;
  /** The option that may have been meant. */
  readonly hint: string;
}

/** The options without those that no table has. */
export interface KnownOptions {
  /** The object itself, if it has no unknown options. */
  readonly options: unknown;
  readonly unknown: readonly UnknownOption[];
}

/**
 * Removes unknown options from an object and its nested objects.
 *
 * @param sections tables of nested objects that its own table does not name, by the option
 */
export function withoutUnknown(
  table: OptionTable,
  options: unknown,
  sections: Readonly<Record<string, OptionTable>> = {},
  path: string = table.path,
): KnownOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return { options, unknown: [] };
  }
  const known: Record<string, unknown> = {};
  const unknown: UnknownOption[] = [];
  let changed = false;
  for (const [name, value] of Object.entries(options)) {
    const row = table.rows.find((candidate) => candidate.name === name);
    if (row === undefined) {
      changed = true;
      if (isGiven(value)) unknown.push({ path: `${path}.${name}`, hint: hintFor(table, path, name) });
      continue;
    }
    const section = sections[name];
    const inner =
      name === 'sasl'
        ? withoutUnknownSasl(value, `${path}.sasl`)
        : section !== undefined
          ? withoutUnknown(section, value)
          : row.check.table !== undefined
            ? withoutUnknown(row.check.table, value, {}, `${path}.${name}`)
            : { options: value, unknown: [] };
    unknown.push(...inner.unknown);
    changed ||= inner.options !== value;
    known[name] = inner.options;
  }
  return { options: changed ? known : options, unknown };
}

/** `sasl` has the options of its mechanism. */
function withoutUnknownSasl(sasl: unknown, path: string): KnownOptions {
  const allowed = saslOptions(sasl);
  if (allowed === undefined) return { options: sasl, unknown: [] };
  const entries = Object.entries(sasl as object);
  const surplus = entries.filter(([name]) => !allowed.includes(name));
  if (surplus.length === 0) return { options: sasl, unknown: [] };
  return {
    options: Object.fromEntries(entries.filter(([name]) => allowed.includes(name))),
    unknown: surplus
      .filter(([, value]) => isGiven(value))
      .map(([name]) => ({ path: `${path}.${name}`, hint: `known options are ${allowed.join(', ')}` })),
  };
}
