// The programs in demo/ and examples/, compiled as an application would compile its own.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TARGET } from './cargo.mjs';
import { digest, readIfThere, writeFile } from './files.mjs';
import { Failure, ROOT, runBin, say, since } from './process.mjs';

/** Compiles `name`/ into target/`name` unless it is compiled already, and returns where. The package must be built. */
export async function compilePrograms(name) {
  const folder = join(TARGET, name);
  const stamp = join(folder, '.inputs');
  const inputs = digest([name, 'dist/.inputs', 'node_modules/.package-lock.json']);
  if (readIfThere(stamp) === inputs) {
    say(`${name}: up to date`);
    return folder;
  }
  const start = performance.now();
  mkdirSync(folder, { recursive: true });
  const { code, output } = await runBin('typescript', ['-p', join(ROOT, name), '--pretty', 'false']);
  if (code !== 0) throw new Failure(`tsc -p ${name} failed:\n${output}`);
  writeFile(stamp, inputs);
  say(`${name}: built (${since(start)})`);
  return folder;
}
