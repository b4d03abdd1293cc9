/** The files of results: each a JSON, and a folder of that name with its table and its pictures. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kindOf, KINDS } from './kinds.mjs';

const RESULTS = fileURLToPath(new URL('../results', import.meta.url));

/** Arrays of numbers, which would otherwise take a line for each. */
const NUMBERS = /\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]/g;

/**
 * Writes a result, whole or not at all, and beside it a folder with its table and its pictures.
 *
 * @returns {Promise<string[]>} the paths of both
 */
export async function writeResult(result) {
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, resultName(result));
  writeFileSync(`${path}.tmp`, `${formatJson(result)}\n`);
  renameSync(`${path}.tmp`, path);

  const folder = path.replace(/\.json$/, '');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const { report, draw } = kindOf(result);
  writeFileSync(join(folder, 'table.txt'), `${report(result).trimStart()}\n`);
  for (const { name: chart, svg } of await draw(result)) {
    for (const [theme, text] of Object.entries(svg))
      writeFileSync(join(folder, `${chart}-${theme}.svg`), text);
  }
  return [path, folder];
}

/** The name of a result's file: its date, and its kind unless it compares. */
export function resultName({ date, kind, settings }) {
  const parts = [
    date.replaceAll(/[^\w.-]+/g, '-'),
    ...(kind === 'comparison' ? [] : [kind]),
    ...(settings.quick ? ['quick'] : []),
  ];
  return `${parts.join('-')}.json`;
}

/** The latest of each kind among files of those names; quick runs do not count. */
export function latestOfEachKind(names) {
  const latest = new Map();
  for (const name of names.toSorted()) {
    const [, kind = 'comparison'] = /-([a-z]+)\.json$/.exec(name) ?? [];
    if (name.endsWith('.json') && Object.hasOwn(KINDS, kind)) latest.set(kind, name);
  }
  return [...latest.values()];
}

/** The paths of the latest result of each kind. */
export function latestResults() {
  const names = latestOfEachKind(readdirSync(RESULTS));
  if (names.length === 0) throw new Error(`no result in ${RESULTS}: run \`npm run bench\` first`);
  return names.map((name) => join(RESULTS, name));
}

/** A result from its file. */
export function readResult(path) {
  const result = JSON.parse(readFileSync(path, 'utf8'));
  if (result.skipped !== undefined) return result;
  throw new Error(
    `${path} is of an earlier form, which lacks figures that the pages show: run npm run bench`,
  );
}

function formatJson(result) {
  return JSON.stringify(result, null, 2).replaceAll(
    NUMBERS,
    (_, numbers) => `[${numbers.replaceAll(/\s+/g, ' ')}]`,
  );
}
