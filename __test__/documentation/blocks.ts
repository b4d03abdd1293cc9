import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../package-consumers/install';

/** A block of code as a page prints it. */
export interface Block {
  /** The file that it stands in, below the checkout. */
  page: string;
  language: string;
  /** Its place among those of the page that have this language and no name, from 0 on. */
  index: number;
  /** The file that it is, where its first line names one. */
  file?: string;
  code: string;
}

const FENCED = /^( *\*? ?)```(\w*)\n([^]*?)^\1```$/gm;
const NAMED = /^\/\/ (\S+\.[cm]?[jt]s)\n/;

/** The pages of the guide, README and the sources whose doc comments have examples. What is generated comes from these. */
export const PAGES: readonly string[] = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'lib/nest/server/server-kafka.ts',
  'lib/nest/client/client-kafka.ts',
  'lib/testing/mock-kafka.ts',
];

/** The blocks of a page. */
export function blocksOf(page: string): Block[] {
  const counts = new Map<string, number>();
  return [...readFileSync(join(ROOT, page), 'utf8').matchAll(FENCED)].map(
    ([, margin = '', language = '', text = '']) => {
      const code = margin === '' ? text : text.replaceAll(/^ *\* ?/gm, '');
      const file = NAMED.exec(code)?.[1];
      const index = counts.get(language) ?? 0;
      if (file === undefined) counts.set(language, index + 1);
      return { page, language, index, file, code: code.replace(NAMED, '') };
    },
  );
}

/** What a patch leaves: the lines before it, or those after. */
export function sideOf(patch: string, side: 'before' | 'after'): string {
  const dropped = side === 'before' ? '+' : '-';
  return patch
    .split('\n')
    .filter((line) => !line.startsWith(dropped))
    .map((line) => line.slice(1))
    .join('\n');
}
