import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../package-consumers/install';
import { blocksOf, PAGES, sideOf, type Block } from './blocks';
import { SET_UPS, type SetUp } from './set-ups';

/** What the blocks are compiled to: an application is one or the other. */
export const FORMATS = { cjs: 'commonjs', esm: 'module' } as const;
export type Format = keyof typeof FORMATS;

const FOLDER = join(ROOT, 'target/documentation');
const IMPORT = /^import [^;]*;\n/gm;
const OPTIONS = {
  target: 'es2022',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node', 'vitest/globals'],
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
};

/** A block that has become a program of its own. */
export interface Program {
  /** The page, the language and the place in it. */
  title: string;
  page: string;
  file: string;
  code: string;
}

/** Where the files of a page are. */
export function folderOf(format: Format, page: string): string {
  return join(FOLDER, format, page.replaceAll(/\W/g, '-'));
}

/** The blocks that are files of an application, by their page. */
export function namedBlocks(page: string): Block[] {
  return blocksOf(page).filter(({ file }) => file !== undefined);
}

/** A program for each block that is part of no file, and for each side of a patch. */
export const PROGRAMS: readonly Program[] = PAGES.flatMap((page) =>
  blocksOf(page).flatMap((block) => {
    const { language, index, file, code } = block;
    if (file !== undefined) return [];
    if (language === 'diff')
      return (['before', 'after'] as const).map((side) =>
        programOf(page, `diff ${index} ${side}`, sideOf(code, side)),
      );
    // Cases of a spec: they are put into it.
    if (language !== 'ts' || code.startsWith('it(')) return [];
    return [programOf(page, `ts ${index}`, code)];
  }),
);

function programOf(page: string, place: string, code: string): Program {
  const title = `${page} ${place}`;
  const program = assemble(code, SET_UPS[title] ?? {});
  return { title, page, file: `${place.replaceAll(' ', '-')}.ts`, code: program };
}

/** Imports come first in a module, and `await` stands in a function: CommonJS has no other place for it. */
function assemble(
  code: string,
  { imports = '', before = '', after = '', around, replaced = [] }: SetUp,
): string {
  const own = code.match(IMPORT) ?? [];
  let body = code.replaceAll(IMPORT, '');
  for (const [text, put] of replaced) {
    if (!body.includes(text)) throw new Error(`the page no longer has ${text}`);
    body = body.replace(text, () => put);
  }
  if (around) body = around.join(body);
  return `
${own.join('')}
${withoutDoubles(imports, own.join(''))}
import assert from 'node:assert/strict';
import * as native from 'nestjs-kafka-native';
import { brokers, find, prepare, said, send } from './help.js';
void [assert, native, brokers, find, prepare, said, send];

async function program(): Promise<void> {
${before}
${body}
${after}
}
void program();
`;
}

/** The imports of a set-up, without the names that the block imports itself. */
function withoutDoubles(imports: string, own: string): string {
  const names = new Set(own.match(/\w+/g));
  return imports.replaceAll(/\{([^}]*)\}/g, (_, list: string) => {
    const kept = list.split(',').filter((name) => !names.has(name.replace('type ', '').trim()));
    return `{${kept.join(',')}}`;
  });
}

/** Writes the blocks of all pages, as the files that they are or as programs. `more`: files that a page's test adds. */
export function write(format: Format, more: Record<string, Record<string, string>>): void {
  const folder = join(FOLDER, format);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), `{ "type": "${FORMATS[format]}" }\n`);
  symlinkSync(ROOT, join(folder, 'node_modules/nestjs-kafka-native'), 'dir');
  const project = { compilerOptions: { ...OPTIONS, rootDir: '.' }, exclude: ['node_modules'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
  const put = (page: string, file: string, code: string): void => {
    const path = join(folderOf(format, page), file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
  };
  for (const page of PAGES) for (const { file, code } of namedBlocks(page)) put(page, file as string, code);
  const help = readFileSync(join(import.meta.dirname, 'help.ts'), 'utf8');
  for (const { page, file, code } of PROGRAMS) {
    put(page, file, code);
    put(page, 'help.ts', help);
  }
  for (const [page, files] of Object.entries(more))
    for (const [file, code] of Object.entries(files)) put(page, file, code);
}

/** What the compiler says of them; what it makes is written all the same. */
export async function compile(format: Format): Promise<string> {
  const args = [
    join(ROOT, 'node_modules/typescript/bin/tsc'),
    '-p',
    join(FOLDER, format),
    '--pretty',
    'false',
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => error);
  return stdout;
}

/** Puts the test's broker in the place of the reader's own. */
export function pointAt(format: Format, brokers: string): void {
  for (const page of PAGES) {
    const folder = folderOf(format, page);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.js'))) {
      const path = join(folder, name);
      const code = readFileSync(path, 'utf8');
      writeFileSync(path, code.replaceAll("'localhost:9092'", `'${brokers}'`));
    }
  }
}

/** Copies the files of a page elsewhere, for a program that has configuration of its own. */
export function copy(format: Format, page: string, folder: string): void {
  cpSync(folderOf(format, page), folder, { recursive: true, filter: (from) => !from.endsWith('.js') });
}
