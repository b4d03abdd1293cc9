import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawCharts } from './charts.mjs';
import { formatReadme } from './readme.mjs';
import { formatMarkdown, formatReport } from './report.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RESULTS = join(ROOT, 'benchmark/results');
const QUICK = '-quick.json';

/** Where the pictures of the page are, and how the pages name them. */
const IMAGES = 'docs/images';
const imageName = (name, theme) => `benchmark-${name}-${theme}.svg`;

/**
 * Writes a result, whole or not at all, and beside it a folder with its table and its pictures.
 *
 * @returns {Promise<string[]>} the paths of both
 */
export async function writeResult(result) {
  mkdirSync(RESULTS, { recursive: true });
  const name = result.date.replaceAll(/[^\w.-]+/g, '-');
  const path = join(RESULTS, `${name}${result.settings.quick ? QUICK : '.json'}`);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(result, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);

  const folder = path.replace(/\.json$/, '');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writeFileSync(join(folder, 'table.txt'), `${formatReport(result).trimStart()}\n`);
  for (const { name: chart, svg } of await drawCharts(result)) {
    for (const [theme, text] of Object.entries(svg))
      writeFileSync(join(folder, `${chart}-${theme}.svg`), text);
  }
  return [path, folder];
}

/**
 * Writes the figures of a result and its pictures into docs/benchmarks.md and README.md, between their marks.
 *
 * @param {string | undefined} path the result file; otherwise the latest, quick runs aside
 * @returns {Promise<string[]>} the paths of the pages
 */
export async function writeDocs(path = latestResult()) {
  const result = JSON.parse(readFileSync(path, 'utf8'));
  if (result.skipped === undefined) {
    throw new Error(
      `${path} is of an earlier form, which lacks figures that the pages show: run npm run bench`,
    );
  }
  const pictures = await drawCharts(result);
  writeImages(pictures);
  const picture = (folder) => (name) => embed(pictures, name, folder);
  const source = `Every measurement: \`benchmark/results/${basename(path)}\`.`;
  const page = `${formatMarkdown(result, picture('images/'))}\n\n${source}`;
  return [
    replaceSection('docs/benchmarks.md', 'results', page),
    replaceSection('README.md', 'measured', formatReadme(result, picture(`${IMAGES}/`)('throughput'))),
  ];
}

/** Writes the pictures of the pages, and removes those that there are no figures for any more. */
function writeImages(pictures) {
  const folder = join(ROOT, IMAGES);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.startsWith('benchmark-')) rmSync(join(folder, name));
  for (const { name, svg } of pictures) {
    for (const [theme, text] of Object.entries(svg))
      writeFileSync(join(folder, imageName(name, theme)), text);
  }
}

/** A picture in a page, in the version for the reader's background; nothing if there is none of that name. */
function embed(pictures, name, folder) {
  const picture = pictures.find((one) => one.name === name);
  if (picture === undefined) return '';
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${folder}${imageName(name, 'dark')}">`,
    `  <img alt="${picture.title}" src="${folder}${imageName(name, 'light')}">`,
    '</picture>',
  ].join('\n');
}

/** Replaces what is between `<!-- mark -->` and `<!-- /mark -->` of a page; returns its path. */
function replaceSection(name, mark, text) {
  const path = join(ROOT, name);
  const page = readFileSync(path, 'utf8');
  const section = new RegExp(`(<!-- ${mark} -->\n)[^]*(<!-- /${mark} -->)`);
  if (!section.test(page)) throw new Error(`${name} lacks the marks <!-- ${mark} --> and <!-- /${mark} -->`);
  writeFileSync(
    path,
    page.replace(section, (_, open, close) => `${open}\n${text}\n\n${close}`),
  );
  return path;
}

function latestResult() {
  const names = readdirSync(RESULTS).filter((name) => name.endsWith('.json') && !name.endsWith(QUICK));
  const latest = names.toSorted().at(-1);
  if (latest === undefined) throw new Error(`no result in ${RESULTS}: run \`npm run bench\` first`);
  return join(RESULTS, latest);
}
