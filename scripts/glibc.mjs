// Which glibc a binary for Linux needs: the newest version among its symbols.
//
//   node scripts/glibc.mjs                  prints it for the binary of this checkout
//   node scripts/glibc.mjs --most 2.28 <file.node>   fails if that is newer

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, main, ROOT, run, say } from './lib/process.mjs';

/** Compares versions by their numbers: 2.9 is older than 2.28. */
function byNumbers(one, other) {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number));
  return a[0] - b[0] || (a[1] ?? 0) - (b[1] ?? 0);
}

/**
 * The versions of glibc that a file needs, each with its symbols, oldest first. Weak references count: the symbol may
 * be missing, its version may not.
 *
 * @returns {Promise<Map<string, string[]>>}
 */
export async function glibcVersions(file) {
  const { code, output } = await run('readelf', ['--wide', '--dyn-syms', file]);
  if (code !== 0) throw new Failure(`readelf (of binutils) cannot read ${file}:\n${output}`);
  const symbols = output.matchAll(/ UND (\S+?)@GLIBC_([\d.]+)/g);
  const found = new Map();
  for (const [, name, version] of symbols) found.set(version, [...(found.get(version) ?? []), name]);
  return new Map([...found].toSorted(([one], [other]) => byNumbers(one, other)));
}

await main(import.meta.url, async (args) => {
  const { values, positionals } = parseArgs({
    args,
    options: { most: { type: 'string' } },
    allowPositionals: true,
  });
  const built = readdirSync(ROOT).find((name) => name.endsWith('.node'));
  const [file = join(ROOT, built ?? '')] = positionals;
  const versions = await glibcVersions(file);
  const newest = [...versions.keys()].at(-1);
  if (newest === undefined) throw new Failure(`${file} takes nothing from glibc`);
  say(`${file} needs glibc ${newest}`);
  const tooNew = [...versions].filter(([version]) => values.most && byNumbers(version, values.most) > 0);
  if (tooNew.length === 0) return;
  const lines = tooNew.map(([version, names]) => `  ${version}: ${names.join(', ')}`);
  throw new Failure(
    `more than ${values.most}, for these symbols:\n${lines.join('\n')}\n→ build it on a system with glibc ${values.most}`,
  );
});
