/** The generated parts of the pages: figures between marks, and the pictures they show. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kindOf } from './kinds.mjs';
import { latestResults, readResult } from './results.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Where the pictures of the pages are. */
const IMAGES = 'docs/images';

/**
 * Writes the figures of results and their pictures into the pages, between their marks.
 *
 * @param {string | undefined} path one result file; otherwise the latest of each kind, quick runs aside
 * @returns {Promise<string[]>} the paths of the pages
 */
export async function writeDocs(path) {
  const written = [];
  for (const one of path === undefined ? latestResults() : [path]) {
    // oxlint-disable-next-line no-await-in-loop -- two kinds may stand in one page
    written.push(...(await writeKind(one)));
  }
  return [...new Set(written)];
}

async function writeKind(path) {
  const result = readResult(path);
  const { draw, images, sections } = kindOf(result);
  const pictures = await draw(result);
  writeImages(pictures, images);
  const source = `Every measurement: \`benchmark/results/${basename(path)}\`.`;
  return sections.map(({ page, mark, format }) => {
    const folder = page.startsWith('docs/') ? 'images/' : `${IMAGES}/`;
    const picture = (name) => embed(pictures, name, `${folder}${images}-`);
    const file = join(ROOT, page);
    writeFileSync(file, replaceSection(readFileSync(file, 'utf8'), mark, format(result, picture, source)));
    return file;
  });
}

/** Writes the pictures of a kind, and removes those without figures. */
function writeImages(pictures, images) {
  const folder = join(ROOT, IMAGES);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.startsWith(`${images}-`)) rmSync(join(folder, name));
  for (const { name, svg } of pictures) {
    for (const [theme, text] of Object.entries(svg))
      writeFileSync(join(folder, `${images}-${name}-${theme}.svg`), text);
  }
}

/** A picture in a page, in the version for the reader's background; nothing if there is none of that name. */
function embed(pictures, name, prefix) {
  const picture = pictures.find((one) => one.name === name);
  if (picture === undefined) return '';
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${prefix}${name}-dark.svg">`,
    `  <img alt="${picture.title}" src="${prefix}${name}-light.svg">`,
    '</picture>',
  ].join('\n');
}

/** A page with `text` in place of what is between `<!-- mark -->` and `<!-- /mark -->`. */
export function replaceSection(page, mark, text) {
  const section = new RegExp(`(<!-- ${mark} -->\n)[^]*(<!-- /${mark} -->)`);
  if (!section.test(page)) throw new Error(`the page lacks the marks <!-- ${mark} --> and <!-- /${mark} -->`);
  return page.replace(section, (_, open, close) => `${open}\n${text}\n\n${close}`);
}
