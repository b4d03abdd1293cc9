// The TypeScript layer, built twice: as ES modules and as CommonJS, over one binding.

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { digest, readIfThere, writeFile } from './files.mjs';
import { Failure, ROOT, runBin, say, since } from './process.mjs';

const BUILDS = [
  { folder: 'esm', project: 'tsconfig.json', type: 'module' },
  { folder: 'cjs', project: 'tsconfig.cjs.json', type: 'commonjs' },
];

const INPUTS = [
  'lib',
  'index.d.ts',
  'tsconfig.json',
  'tsconfig.cjs.json',
  'node_modules/.package-lock.json',
  'scripts/lib/typescript.mjs',
];

/** Builds both into a folder beside dist and then swaps them in, so that a failure leaves the old dist intact. */
export async function buildTypescript() {
  const dist = join(ROOT, 'dist');
  const stamp = join(dist, '.inputs');
  const inputs = digest(INPUTS);
  if (readIfThere(stamp) === inputs) {
    say('TypeScript (ESM, CommonJS): up to date');
    return;
  }
  const start = performance.now();
  const [incoming, outgoing] = ['incoming', 'outgoing'].map((name) => `${dist}.${name}-${process.pid}`);
  try {
    const builds = BUILDS.map(async ({ folder, project, type }) => {
      const args = [
        '-p',
        project,
        '--outDir',
        join(incoming, folder),
        '--noEmitOnError',
        '--pretty',
        'false',
      ];
      const { code, output } = await runBin('typescript', args);
      if (code !== 0) throw new Failure(`tsc -p ${project} failed:\n${output}`);
      writeFile(join(incoming, folder, 'package.json'), `${JSON.stringify({ type })}\n`);
      reachBinding(join(incoming, folder));
    });
    const outcomes = await Promise.allSettled(builds);
    const failed = outcomes.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
    writeFile(join(incoming, '.inputs'), inputs);
    if (existsSync(dist)) renameSync(dist, outgoing);
    renameSync(incoming, dist);
  } finally {
    for (const folder of [incoming, outgoing]) rmSync(folder, { recursive: true, force: true });
  }
  say(`TypeScript (ESM, CommonJS): built (${since(start)})`);
}

/**
 * Makes the built files import the binding by path. The sources import it by the package's own name, which Node
 * cannot resolve from a folder with its own package.json; each build needs one to declare ESM or CommonJS.
 */
function reachBinding(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!/\.(js|d\.ts)$/.test(name)) continue;
    const file = join(folder, name);
    const binding = relative(dirname(file), join(folder, '../../binding/index.js')).replaceAll('\\', '/');
    const text = readFileSync(file, 'utf8');
    const reaching = text.replaceAll(/(['"])nestjs-kafka-native\/native\1/g, `$1${binding}$1`);
    if (reaching !== text) writeFileSync(file, reaching);
  }
}
