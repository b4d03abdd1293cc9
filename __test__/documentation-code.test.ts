import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { within } from './harness/wait';
import { ROOT } from './package-consumers/install';

// The code of the pages that a reader begins with, as it is printed there: blocks that begin with a file's name are that file.

const PAGES = ['README.md', 'docs/getting-started.md'] as const;
const FOLDER = join(ROOT, 'target/documentation');
const NAMED_BLOCK = /^```ts\n\/\/ (\S+\.ts)\n([^]*?)^```$/gm;

function folderOf(page: string): string {
  return join(FOLDER, page.replaceAll(/\W/g, '-'));
}

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true });
  const { compilerOptions } = JSON.parse(
    readFileSync(join(ROOT, 'demo/tsconfig.json'), 'utf8').replaceAll(/\/\/ .*$/gm, ''),
  ) as { compilerOptions: object };
  for (const page of PAGES) {
    mkdirSync(folderOf(page), { recursive: true });
    for (const [, name, code] of readFileSync(join(ROOT, page), 'utf8').matchAll(NAMED_BLOCK))
      writeFileSync(join(folderOf(page), name as string), code as string);
    const project = { compilerOptions: { ...compilerOptions, rootDir: '.', outDir: undefined } };
    writeFileSync(join(folderOf(page), 'tsconfig.json'), JSON.stringify(project));
  }
});

test.each(PAGES)('%s compiles', async (page) => {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const run = promisify(execFile)(process.execPath, [tsc, '-p', folderOf(page), '--pretty', 'false']);
  expect(
    await run.then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    ),
  ).toBe('');
});

test('docs/getting-started.md does what it says', async () => {
  const child = spawn(process.execPath, [join(folderOf('docs/getting-started.md'), 'main.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const lines: string[] = [];
    const dead = new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        lines.push(line);
        if (line === 'Fafnir is dead') resolve();
      });
    });
    await within('the event', dead);
    expect(lines).toContain("[ { id: 1, name: 'Mythical Sword' } ]");
    const exit = once(child, 'exit');
    child.kill('SIGINT');
    expect(await within('the end', exit)).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});
