import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatMarkdown } from './report.mjs';

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));
const DOCS = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));
const QUICK = '-quick.json';
const SECTION = /(<!-- results -->\n)[^]*(<!-- \/results -->)/;

/** Writes a result file, whole or not at all, and returns its path. */
export function writeResult(result) {
  mkdirSync(RESULTS, { recursive: true });
  const name = result.date.replaceAll(/[^\w.-]+/g, '-');
  const path = join(RESULTS, `${name}${result.settings.quick ? QUICK : '.json'}`);
  writeFileSync(`${path}.tmp`, `${formatJson(result)}\n`);
  renameSync(`${path}.tmp`, path);
  return path;
}

/**
 * Writes the figures of a result into docs/benchmarks.md, between its two marks.
 *
 * @param {string | undefined} path the result file; otherwise the latest, quick runs aside
 * @returns the path of the page
 */
export function writeDocs(path = latestResult()) {
  const page = readFileSync(DOCS, 'utf8');
  if (!SECTION.test(page)) throw new Error(`${DOCS} lacks the marks <!-- results --> and <!-- /results -->`);
  const result = JSON.parse(readFileSync(path, 'utf8'));
  const source = `Every measurement: \`benchmark/results/${basename(path)}\`.`;
  const text = [
    '<!-- prettier-ignore-start -->',
    '',
    formatMarkdown(result),
    '',
    source,
    '',
    '<!-- prettier-ignore-end -->',
    '',
  ].join('\n');
  writeFileSync(
    DOCS,
    page.replace(SECTION, (_, open, close) => `${open}${text}${close}`),
  );
  return DOCS;
}

/** Indented, with arrays of plain values on one line, as the formatter has it. */
function formatJson(result) {
  const spread = JSON.stringify(result, null, 2);
  return spread.replaceAll(
    /\[\n\s+([^[\]{}]*?)\n\s+\]/g,
    (_, items) => `[${items.replaceAll(/,\n\s+/g, ', ')}]`,
  );
}

function latestResult() {
  const names = readdirSync(RESULTS).filter((name) => name.endsWith('.json') && !name.endsWith(QUICK));
  const latest = names.toSorted().at(-1);
  if (latest === undefined) throw new Error(`no result in ${RESULTS}: run \`npm run bench\` first`);
  return join(RESULTS, latest);
}
