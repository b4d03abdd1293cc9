import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { cached } from './cache';
import { bareEnvironment, npm } from './programs';
import { startRegistry, type Registry } from './registry';

/** A folder beside this file, with the package.json of an application. */
export type Dependencies = 'nest11' | 'nest11-jest' | 'nest11-oldest' | 'nest12';

/** What an application is compiled to. */
const FORMATS = { cjs: 'commonjs', esm: 'module' } as const;
export type Format = keyof typeof FORMATS;

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));

export interface Variant {
  /** Installs kafkajs too: what NestJS's own transport needs. */
  kafkajs?: boolean;
}

/**
 * Installs the package from a registry, as it is published, beside the dependencies of a folder, as an application's own, with the
 * applications compiled for both module systems, and returns where. An installation of the same files is used again.
 */
export async function install(
  dependencies: Dependencies,
  { kafkajs = false }: Variant = {},
): Promise<string> {
  const name = kafkajs ? `${dependencies}-kafkajs` : dependencies;
  return cached(`${name}-${inputs(dependencies)}`, (folder) => installInto(folder, dependencies, kafkajs));
}

async function installInto(folder: string, dependencies: Dependencies, kafkajs: boolean): Promise<void> {
  for (const name of ['package.json', 'package-lock.json', '.npmrc'])
    copyFileSync(join(HERE, dependencies, name), join(folder, name));
  const starting = registry();
  await Promise.all([npm(['ci', '--prefer-offline'], folder), starting]);
  const { userConfig } = await starting;
  if (kafkajs) await npm(['install', '--prefer-offline', 'kafkajs@2.2.4'], folder);
  // A conflict with the package's peer dependencies fails here. Nothing is there that could compile.
  const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const options = ['--strict-peer-deps', `--userconfig=${userConfig}`];
  await npm(['install', ...options, `${name}@${version}`], folder, bareEnvironment());
  compileApplications(folder);
}

/** Compiles the applications into a folder, once for each module system. */
export function compileApplications(folder: string): void {
  for (const [format, type] of Object.entries(FORMATS)) compile(join(folder, format), type);
}

let started: Promise<Registry> | undefined;

/** The registry, started when it is first needed. */
export function registry(): Promise<Registry> {
  started ??= startRegistry();
  return started;
}

/** Stops the registry, if one was needed, once nothing more is to be installed. */
export async function stopRegistry(): Promise<void> {
  await (await started)?.stop();
  started = undefined;
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
  const published = ['dist', 'binding', 'index.js', 'index.d.ts', 'package.json', binaryName()];
  const own = ['applications', 'install.ts', 'registry.ts', dependencies].map((name) => join(HERE, name));
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
