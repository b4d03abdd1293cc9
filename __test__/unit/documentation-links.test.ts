import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

// Links of the pages to files and headings of this repository; those to the web are left alone.

const ROOT = join(import.meta.dirname, '../..');
const PAGES = ['.', 'docs', 'docs/internal', 'examples'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md') && name !== 'THIRD-PARTY-NOTICES.md')
    .map((name) => join(folder, name)),
);

/** A page without its blocks of code. */
function textOf(file: string): string {
  return readFileSync(file, 'utf8').replaceAll(/^```[^]*?^```$/gm, '');
}

/** The name that GitHub gives to a heading. */
function nameOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

function headingsOf(file: string): Set<string> {
  return new Set([...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => nameOf(heading as string)));
}

function isBroken(page: string, link: string): boolean {
  const [path, heading] = link.split('#') as [string, string?];
  const target = path === '' ? join(ROOT, page) : resolve(ROOT, dirname(page), path);
  if (!existsSync(target)) return true;
  return heading !== undefined && target.endsWith('.md') && !headingsOf(target).has(heading);
}

test.each(PAGES)('%s has no broken links', (page) => {
  const links = [...textOf(join(ROOT, page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
  const local = links.filter((link) => !/^[a-z]+:/.test(link));
  expect(local.filter((link) => isBroken(page, link))).toEqual([]);
});

test('the index of the guide names each of its pages', () => {
  const index = readFileSync(join(ROOT, 'docs/README.md'), 'utf8');
  const pages = readdirSync(join(ROOT, 'docs')).filter(
    (name) => name.endsWith('.md') && name !== 'README.md',
  );
  expect(pages.filter((name) => !index.includes(`](${name})`))).toEqual([]);
});
