// Writes lib/boundary/, the TypeScript side of what Rust and JavaScript share. `-- --check` only compares it.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkedProfile, CORE, TARGET } from './lib/cargo.mjs';
import { readIfThere, writeFile } from './lib/files.mjs';
import { Failure, main, ROOT, run, say } from './lib/process.mjs';
import { prepare } from './lib/setup.mjs';

const FOLDER = 'lib/boundary';

/** The files by name, as the core's tests write them (crates/core/src/boundary/typescript.rs). */
async function generate() {
  const folder = join(TARGET, 'boundary');
  rmSync(folder, { recursive: true, force: true });
  const args = [
    'test',
    '--package',
    CORE,
    '--lib',
    ...(await checkedProfile()),
    '--',
    'boundary::typescript',
  ];
  const { code, output } = await run('cargo', args, { heartbeat: FOLDER });
  if (code !== 0 || !existsSync(folder)) throw new Failure(`the crate's tests wrote nothing:\n${output}`);
  // Not at the top: a bare checkout loads this file before it has installed any package.
  const { format, resolveConfig } = await import('prettier');
  const options = await resolveConfig(join(ROOT, FOLDER, 'any.ts'));
  const files = readdirSync(folder).map(async (name) => {
    const text = inOneLine(readFileSync(join(folder, name), 'utf8'));
    return [name, await format(text, { ...options, parser: 'typescript' })];
  });
  return new Map(await Promise.all(files));
}

/** Doc comments of one line each, without the links of Rust's documentation. */
function inOneLine(text) {
  return text.replaceAll(/\/\*\*\n \* (.*)\n \*\//g, '/** $1 */').replaceAll(/\[(`\w+`)\]/g, '$1');
}

/** The files that differ from what the crate generates. */
export async function staleBoundary() {
  const files = await generate();
  const names = new Set([...files.keys(), ...readdirSync(join(ROOT, FOLDER))]);
  return [...names].filter((name) => readIfThere(join(ROOT, FOLDER, name)) !== files.get(name));
}

async function write() {
  const files = await generate();
  const folder = join(ROOT, FOLDER);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(join(folder, name));
  for (const [name, text] of files) writeFile(join(folder, name), text);
  say(`${FOLDER}: ${[...files.keys()].join(', ')}`);
}

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { check: { type: 'boolean', default: false } } });
  await prepare();
  if (!values.check) {
    await write();
    return 0;
  }
  const stale = await staleBoundary();
  for (const name of stale) say(`${FOLDER}/${name} is not what the crate says: node scripts/boundary.mjs`);
  return stale.length === 0 ? 0 : 1;
});
