// Lays the pages out for the site: the guide, the reference and the texts beside them, with links between them as the site has them.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const PAGES = fileURLToPath(new URL('pages', import.meta.url));

/** Where a page of the repository is in the site; what is not here is left out, and links to it become text. */
const PLACES = new Map([
  ['README.md', 'index.md'],
  ['docs/README.md', 'guide.md'],
  ['docs/api/README.md', 'api/modules.md'],
  ...['ARCHITECTURE', 'CHANGELOG', 'CONTRIBUTING', 'SECURITY', 'SUPPORT'].map((name) => [
    `${name}.md`,
    `${name.toLowerCase()}.md`,
  ]),
  ['docs/security.md', 'connections.md'],
  ['examples/README.md', 'examples.md'],
]);
for (const folder of ['docs', 'docs/api', 'docs/internal']) {
  for (const name of readdirSync(join(ROOT, folder))) {
    const file = `${folder}/${name}`;
    if (name.endsWith('.md') && !PLACES.has(file)) PLACES.set(file, file.replace('docs/', ''));
  }
}

/** A page in the words of the site. */
export function staged(file) {
  const from = PLACES.get(file);
  const blocks = [];
  const text = readFileSync(join(ROOT, file), 'utf8');
  const words = text
    // What is in blocks of code stays as it is.
    .replaceAll(/^( *)```[^]*?^\1```$/gm, (block) => `\u0000${blocks.push(block) - 1}\u0000`)
    .replaceAll(/<picture>[^]*?<\/picture>/g, pictures)
    .replaceAll(/(!?)\[((?:[^\]\\]|\\.)*)\]\(([^)\s]+)\)/g, (whole, image, label, link) => {
      if (/^[a-z]+:/.test(link)) return whole;
      const [path, heading] = link.split('#');
      if (path === '') return `[${label}](#${named(text, heading)})`;
      const target = posix.join(posix.dirname(file), path).replace(/\/$/, '');
      if (image) return `![${label}](${relative(from, target.replace('docs/', ''))})`;
      const place = PLACES.get(target);
      if (place === undefined) return label;
      return `[${label}](${relative(from, place)}${heading === undefined ? '' : `#${heading}`})`;
    });
  // eslint-disable-next-line no-control-regex -- the mark above
  return words.replaceAll(/\u0000(\d+)\u0000/g, (_, index) => blocks[index]);
}

/** GitHub's name of a heading. */
export function nameOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** The name of a heading of the page. TypeDoc numbers some that are there once. */
function named(page, name) {
  const names = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => nameOf(heading));
  const first = name.replace(/-\d+$/, '');
  return !names.includes(name) && names.filter((each) => each === first).length === 1 ? first : name;
}

/** Both drawings; the theme shows the one of its scheme, which a reader may have switched. */
function pictures(picture) {
  const dark = /srcset="([^"]+)"/.exec(picture)?.[1];
  const [, alt, light] = /alt="([^"]*)" src="([^"]+)"/.exec(picture) ?? [];
  const draw = (file, scheme) =>
    `<img class="only-${scheme}" alt="${alt}" src="/${file.replace(/^(docs|\.\.)\//, '')}">`;
  return `${draw(light, 'light')}\n${draw(dark, 'dark')}`;
}

function relative(from, to) {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith('.') ? path : `./${path}`;
}

/** Writes all pages and pictures. */
export function stage() {
  rmSync(PAGES, { recursive: true, force: true });
  for (const [file, place] of PLACES) {
    if (!existsSync(join(ROOT, file))) continue;
    const path = join(PAGES, place);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, staged(file));
  }
  // From the pages' own folder for pictures in Markdown, and from the top for those in HTML.
  for (const folder of ['images', 'public/images'])
    cpSync(join(ROOT, 'docs/images'), join(PAGES, folder), { recursive: true });
}

/** The guide's own order: its sections, and the first link of each of their items. */
export function sidebar() {
  const sections = [];
  for (const line of staged('docs/README.md').split('\n')) {
    const section = /^\*\*(.+)\*\*$/.exec(line)?.[1];
    if (section) sections.push({ text: section, items: [] });
    if (!/^(?:\d+\.|-) /.test(line)) continue;
    for (const [, text, link] of line.matchAll(/\[([^\]]+)\]\(([^)]+)\.md\)/g)) {
      const title = text[0].toUpperCase() + text.slice(1);
      sections.at(-1)?.items.push({ text: title, link: `/${posix.normalize(link)}` });
    }
  }
  const reference = [...PLACES.values()].filter(
    (place) => place.startsWith('api/') && place !== 'api/modules.md',
  );
  const items = reference.map((place) => {
    const name = place.slice('api/'.length, -'.md'.length);
    return { text: name === 'index' ? 'nestjs-kafka-native' : name, link: `/${place.replace(/\.md$/, '')}` };
  });
  return [...sections, { text: 'Reference', collapsed: true, items }];
}
