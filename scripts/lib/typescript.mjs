// The TypeScript layer, as ES modules and as CommonJS, over one binding. `tsc` compiles it, file by file; what applications load is
// bundled of that: a dozen files instead of two hundred, in a third of the time.

import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { digest, readIfThere, writeFile } from './files.mjs';
import { Failure, ROOT, runBin, say, since } from './process.mjs';

const BUILDS = [
  { format: 'esm', type: 'module' },
  { format: 'cjs', type: 'commonjs' },
];

const INPUTS = [
  'lib',
  'index.d.ts',
  'tsconfig.json',
  'node_modules/.package-lock.json',
  'scripts/lib/typescript.mjs',
];

/** The package's own name for its binding, in the sources. */
const BINDING = /(['"])nestjs-kafka-native\/native\1/g;
/** What the generators of docs/ read besides the entries of the package. */
const TABLES = ['options/index', 'nest/options/index'];
/** A class that the bundler had to rename: errors, loggers and NestJS show names of classes. */
const RENAMED_CLASS = /\bclass \w+\$\d+/;

/** Builds into a folder beside dist and then swaps it in, so that a failure leaves the old dist intact. */
export async function buildTypescript() {
  const dist = join(ROOT, 'dist');
  const stamp = join(dist, '.inputs');
  const inputs = digest(INPUTS);
  if (readIfThere(stamp) === inputs) {
    say('TypeScript (ESM, CommonJS): up to date');
    return;
  }
  const start = performance.now();
  const [incoming, outgoing, modules] = ['incoming', 'outgoing', 'modules'].map(
    (name) => `${dist}.${name}-${process.pid}`,
  );
  try {
    await compile(modules);
    const names = readdirSync(modules, { recursive: true }).map((name) => name.replaceAll('\\', '/'));
    for (const { format, type } of BUILDS) {
      const folder = join(incoming, format);
      // oxlint-disable-next-line no-await-in-loop -- the bundler takes all cores
      await bundle({ modules, names, folder, format });
      copyFiles({ modules, names, folder, hasCommand: format === 'esm' });
      writeFile(join(folder, 'package.json'), `${JSON.stringify({ type })}\n`);
      reachBinding(folder);
    }
    writeFile(join(incoming, '.inputs'), inputs);
    if (existsSync(dist)) renameSync(dist, outgoing);
    renameSync(incoming, dist);
  } finally {
    for (const folder of [incoming, outgoing, modules]) rmSync(folder, { recursive: true, force: true });
  }
  say(`TypeScript (ESM, CommonJS): built (${since(start)})`);
}

/** Builds the modules one by one into `target/modules`, for what looks at the parts of the layer: they are not in the bundle. */
export async function buildModules() {
  const modules = join(ROOT, 'target/modules');
  rmSync(modules, { recursive: true, force: true });
  await compile(modules);
  reachBinding(modules);
}

/** Compiles the TypeScript into ES modules. */
async function compile(folder) {
  const args = ['-p', 'tsconfig.json', '--outDir', folder, '--noEmitOnError', '--pretty', 'false'];
  const { code, output } = await runBin('typescript', args);
  if (code !== 0) throw new Failure(`tsc -p tsconfig.json failed:\n${output}`);
  // Says what they are: a file of types alone would be taken for CommonJS, and what imports it would be wrapped.
  writeFile(join(folder, 'package.json'), `${JSON.stringify({ type: 'module' })}\n`);
}

const isOfCommand = (name) => name.startsWith('command/');

/**
 * Bundles the files that package.json exports and those that are read by their paths, each into one of its name; what several of them
 * need is in files of `shared/`.
 */
async function bundle({ modules, names, folder, format }) {
  const scripts = names.filter((name) => name.endsWith('.js'));
  const entries = scripts.filter((name) => !name.includes('/')).map((name) => name.slice(0, -'.js'.length));
  const command = format === 'esm' ? scripts.filter(isOfCommand) : [];
  const imported = command.flatMap((name) => importsOfCommand(modules, name));
  const input = [...new Set([...entries, ...TABLES, ...imported])];
  // Not at the top: a bare checkout loads this file before it has installed any package.
  const { rolldown } = await import('rolldown');
  const bundler = await rolldown({
    input: Object.fromEntries(input.map((name) => [name, join(modules, `${name}.js`)])),
    external: (id) => !/^(\.|\/|[A-Za-z]:)/.test(id),
    platform: 'node',
    // What a module does when it is loaded is part of it.
    treeshake: false,
    plugins: [sourceMaps],
  });
  try {
    const { output } = await bundler.write({
      dir: folder,
      format,
      sourcemap: true,
      minifyInternalExports: false,
      comments: { legal: true, annotation: false, jsdoc: false },
      entryFileNames: '[name].js',
      chunkFileNames: 'shared/[name].js',
    });
    for (const { fileName, code } of output) {
      if (code === undefined) continue;
      writeFileSync(join(folder, fileName), inLatin1(code));
      const [renamed] = RENAMED_CLASS.exec(code) ?? [];
      if (renamed)
        throw new Failure(`${fileName}: two classes have one name: ${renamed}. Rename one of them.`);
    }
  } finally {
    await bundler.close();
  }
}

/** Hands the maps of tsc on, so that stacks lead to the sources. */
const sourceMaps = {
  name: 'source-maps',
  load: (id) => ({ code: readFileSync(id, 'utf8'), map: readFileSync(`${id}.map`, 'utf8') }),
};

/**
 * One character beyond Latin-1 in a text, and V8 keeps the whole file in memory with two bytes for each of its characters: so those are written
 * by their numbers.
 */
const inLatin1 = (code) =>
  code.replaceAll(/[\u0100-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** What a file of the command imports of the library, as names of its files. */
function importsOfCommand(modules, name) {
  const text = readFileSync(join(modules, name), 'utf8');
  return [...text.matchAll(/\b(?:from|import\()\s*'(\.[^']*)\.js'/g)]
    .map(([, path]) => join(dirname(name), path).replaceAll('\\', '/'))
    .filter((path) => !isOfCommand(path));
}

/**
 * The declarations, file by file, and the files of the command, which find each other by their paths and are loaded one by one. The
 * command is made of ES modules only.
 */
function copyFiles({ modules, names, folder, hasCommand }) {
  for (const name of names) {
    const isCopied = isOfCommand(name)
      ? hasCommand && /\.(js|js\.map|d\.ts)$/.test(name)
      : name.endsWith('.d.ts');
    if (isCopied) cpSync(join(modules, name), join(folder, name));
  }
}

/**
 * Makes the built files, two folders below the checkout, import the binding by path. The sources import it by the package's own name, which Node
 * cannot resolve from a folder with its own package.json; each build needs one to declare ESM or CommonJS.
 */
function reachBinding(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!/\.(js|d\.ts)$/.test(name)) continue;
    const file = join(folder, name);
    const binding = relative(dirname(file), join(folder, '../../binding/index.js')).replaceAll('\\', '/');
    const text = readFileSync(file, 'utf8');
    const reaching = text.replaceAll(BINDING, `$1${binding}$1`);
    if (reaching !== text) writeFileSync(file, reaching);
  }
}
