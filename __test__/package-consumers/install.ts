import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';

/** A folder beside this file, with the package.json of an application. */
export type Dependencies = 'nest11' | 'nest11-jest' | 'nest11-oldest' | 'nest12';

/** What an application is compiled to. */
export const FORMATS = { cjs: 'commonjs', esm: 'module' } as const;
export type Format = keyof typeof FORMATS;

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Outside this checkout: Node would find kafkajs and another Nest in a node_modules above. */
const CACHE = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'nestjs-kafka-native',
  'package-consumers',
);
const UNUSED_AFTER = 15 * 60_000;

const execute = promisify(execFile);

/**
 * Installs the packed package and the dependencies of a folder as an application's own, with the applications compiled for both
 * module systems, and returns where. An installation of the same files is used again.
 */
export async function install(dependencies: Dependencies): Promise<string> {
  const installed = join(CACHE, `${dependencies}-${inputs(dependencies)}`);
  if (!existsSync(installed)) {
    mkdirSync(CACHE, { recursive: true });
    // Made beside and renamed, so that an interrupted or a second run never leaves half an installation.
    const incoming = mkdtempSync(join(CACHE, 'incoming-'));
    try {
      await installInto(incoming, dependencies);
      renameSync(incoming, installed);
    } catch (error) {
      if (!existsSync(installed)) throw error;
    } finally {
      rmSync(incoming, { recursive: true, force: true });
    }
  }
  utimesSync(installed, new Date(), new Date());
  sweep();
  return installed;
}

async function installInto(folder: string, dependencies: Dependencies): Promise<void> {
  for (const name of ['package.json', 'package-lock.json', '.npmrc'])
    copyFileSync(join(HERE, dependencies, name), join(folder, name));
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const packing = pack();
  await Promise.all([npm(['ci', ...quiet], folder), packing]);
  // A conflict with the package's peer dependencies fails here.
  const tarballs = await packing;
  await npm(
    ['install', '--no-save', '--no-package-lock', '--strict-peer-deps', ...quiet, ...tarballs],
    folder,
  );
  for (const [format, type] of Object.entries(FORMATS)) compile(join(folder, format), type);
}

const temporary: string[] = [];
let packed: Promise<string[]> | undefined;

/** Removes the tarballs once nothing more is to be installed. */
export function removeTarballs(): void {
  for (const folder of temporary.splice(0)) rmSync(folder, { recursive: true, force: true });
  packed = undefined;
}

/** The tarballs of the package and of this platform's binary, as they are published. */
function pack(): Promise<string[]> {
  packed ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-pack-'));
    temporary.push(folder);
    copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    const napi = join(ROOT, 'node_modules/@napi-rs/cli/dist/cli.js');
    await execute(process.execPath, [napi, 'create-npm-dirs'], { cwd: folder });
    const binary = binaryName();
    const platform = join(folder, 'npm', binary.split('.')[1] as string);
    copyFileSync(join(ROOT, binary), join(platform, binary));
    await npm(
      ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder, ROOT, platform],
      ROOT,
    );
    return readdirSync(folder)
      .filter((name) => name.endsWith('.tgz'))
      .map((name) => join(folder, name));
  })();
  return packed;
}

function binaryName(): string {
  const [name, ...others] = readdirSync(ROOT).filter((file) => file.endsWith('.node'));
  if (name === undefined || others.length > 0)
    throw new Error(`one built binary is needed in ${ROOT}, not ${others.length + (name ? 1 : 0)}`);
  return name;
}

/** Compiles file by file: the types have tests of their own. */
function compile(folder: string, type: string): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ type })}\n`);
  cpSync(join(HERE, 'applications'), folder, { recursive: true });
  const module = type === 'module' ? ts.ModuleKind.ES2022 : ts.ModuleKind.CommonJS;
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.ts'))) {
    const { outputText } = ts.transpileModule(readFileSync(join(folder, name), 'utf8'), {
      fileName: name,
      compilerOptions: {
        module,
        target: ts.ScriptTarget.ES2022,
        esModuleInterop: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
      },
    });
    writeFileSync(join(folder, name.replace(/ts$/, 'js')), outputText);
  }
}

/** A digest of all that an installation is made of. */
function inputs(dependencies: Dependencies): string {
  const hash = createHash('sha256').update(process.version);
  const published = ['dist', 'index.js', 'index.d.ts', 'package.json', binaryName()];
  const own = ['applications', 'install.ts', dependencies].map((name) => join(HERE, name));
  for (const path of [...published.map((name) => join(ROOT, name)), ...own]) {
    for (const file of filesBelow(path)) hash.update(`${relative(ROOT, file)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
    .toSorted();
}

/** Removes the installations of earlier builds. */
function sweep(): void {
  for (const name of readdirSync(CACHE)) {
    const folder = join(CACHE, name);
    const used = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - used > UNUSED_AFTER) rmSync(folder, { recursive: true, force: true });
  }
}

async function npm(args: string[], cwd: string): Promise<void> {
  // npm is a script on Windows, which only a shell starts.
  await execute('npm', args, { cwd, shell: process.platform === 'win32' });
}

/** What the compiler says of the applications' sources and of the package's own types, resolved as `options` say. */
export function compilerErrors(folder: string, options: ts.CompilerOptions): string[] {
  const rootNames = readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts'],
    strict: true,
    noEmit: true,
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    ...options,
  };
  const program = ts.createProgram(rootNames, compilerOptions, compilerHost(compilerOptions));
  // Nest's own types need packages that an application without its other transports does not have.
  const judged = program
    .getSourceFiles()
    .filter(({ fileName }) => rootNames.includes(fileName) || fileName.includes('/nestjs-kafka-native/'));
  return judged
    .flatMap((file) => [program.getSyntacticDiagnostics(file), program.getSemanticDiagnostics(file)].flat())
    .map(({ file, start = 0, messageText }) => {
      const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
      return `${basename(file?.fileName ?? '')}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
}

const sources = new Map<string, ts.SourceFile | undefined>();

/** The compiler's own host, except that it reads each file once for all programs: most of their time. */
function compilerHost(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (fileName, how, ...others) => {
    const format = typeof how === 'object' ? how.impliedNodeFormat : undefined;
    const key = `${fileName} ${format}`;
    if (!sources.has(key)) sources.set(key, getSourceFile(fileName, how, ...others));
    return sources.get(key);
  };
  return host;
}
