import type { OptionTable } from './table.js';

/** The option tables of all objects that an application passes; each is registered where it is defined. */
const tables: OptionTable[] = [];

/** Registers a table, in which unknown options of other objects are looked for too. */
export function optionTable(table: OptionTable): OptionTable {
  tables.push(table);
  return table;
}

/** The accepted options of a table and of the objects in it, with their paths. */
function* paths(table: OptionTable, path: string): Generator<{ name: string; path: string }> {
  for (const { name, handling, check } of table.rows) {
    if (handling.by === 'refused') continue;
    yield { name, path: `${path}.${name}` };
    if (check.table !== undefined) yield* paths(check.table, `${path}.${name}`);
  }
}

/**
 * The hint for an unknown option: the one that was probably meant, here or in another object, else the list of
 * options.
 */
export function hintFor(table: OptionTable, path: string, name: string): string {
  const here = [...paths(table, path)];
  const there = tables
    .filter((other) => other.path !== table.path)
    .flatMap((other) => [...paths(other, other.path)]);
  const found =
    meant(
      here.filter((known) => known.path === `${path}.${known.name}`),
      name,
      isSimilar,
    ) ??
    meant(here, name, isSame) ??
    meant(there, name, isSame) ??
    meant([...here, ...there], name, isSimilar);
  if (found !== undefined) return `did you mean ${found}?`;
  if (name.includes('.')) return `librdkafka's own properties go into ${rawOptions(table, path)}`;
  return `known options are ${table.rows
    .filter(({ handling }) => handling.by !== 'refused')
    .map((row) => row.name)
    .join(', ')}`;
}

function meant(
  known: readonly { name: string; path: string }[],
  name: string,
  matches: (a: string, b: string) => boolean,
): string | undefined {
  const found = new Set(known.filter((option) => matches(option.name, name)).map((option) => option.path));
  return found.size > 0 ? [...found].join(' or ') : undefined;
}

const takesRaw = ({ rows }: OptionTable): boolean => rows.some(({ name }) => name === 'librdkafka');

/** Where raw properties can be given: in the object itself, or in objects that have such an option. */
function rawOptions(table: OptionTable, path: string): string {
  if (takesRaw(table)) return `${path}.librdkafka`;
  return tables
    .filter(takesRaw)
    .map((other) => `${other.path}.librdkafka`)
    .join(' or ');
}

const letters = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** Whether two names are equal apart from case and separators. */
const isSame = (a: string, b: string): boolean => letters(a) === letters(b);

/** Whether two names differ at most by one added, missing or changed character, or two swapped ones. */
function isSimilar(a: string, b: string): boolean {
  const [x, y] = [letters(a), letters(b)];
  if (x === y) return true;
  if (Math.abs(x.length - y.length) > 1 || Math.min(x.length, y.length) < 3) return false;
  let start = 0;
  while (start < x.length && x[start] === y[start]) start++;
  let end = 0;
  while (end < Math.min(x.length, y.length) - start && x.at(-1 - end) === y.at(-1 - end)) end++;
  const [restX, restY] = [x.slice(start, x.length - end), y.slice(start, y.length - end)];
  if (restX.length === 2 && restY.length === 2) return restX[0] === restY[1] && restX[1] === restY[0];
  return Math.max(restX.length, restY.length) <= 1;
}
