// Writes docs/api from the doc comments of what the package exports. Fails when an export has none.
//
//   node scripts/api-docs.mjs            writes it
//   node scripts/api-docs.mjs --check    fails if the committed one differs

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TARGET } from './lib/cargo.mjs';
import { readIfThere } from './lib/files.mjs';
import { Failure, main, ROOT, runBin, say } from './lib/process.mjs';

const FOLDER = join(ROOT, 'docs/api');

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { check: { type: 'boolean', default: false } } });
  if (!values.check) {
    await generate(FOLDER);
    say('docs/api: written');
    return 0;
  }
  // Within the repository, because typedoc writes links relative to its output.
  mkdirSync(TARGET, { recursive: true });
  const fresh = mkdtempSync(join(TARGET, 'api-docs-'));
  try {
    await generate(fresh);
    const names = new Set([fresh, FOLDER].filter(existsSync).flatMap((folder) => readdirSync(folder)));
    const stale = [...names].filter(
      (name) => readIfThere(join(fresh, name)) !== readIfThere(join(FOLDER, name)),
    );
    if (stale.length === 0) return 0;
    throw new Failure(`docs/api differs from the doc comments in lib: ${stale.join(', ')}`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
});

/** Generates the reference; typedoc.json says what must be documented and what is left out. */
async function generate(folder) {
  const { code, output } = await runBin('typedoc', ['--out', folder], { env: { NO_COLOR: '1' } });
  if (code !== 0) throw new Failure(`typedoc failed:\n${output}`);
}
