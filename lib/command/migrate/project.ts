import { createRequire } from 'node:module';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type ts from 'typescript';
import { CommandError } from '../front.js';

/** The type of the TypeScript compiler. */
export type TypeScript = typeof ts;

const SOURCE = /\.[cm]?[jt]sx?$/;
const DECLARATION = /\.d\.[cm]?ts$/;
/** Folders without sources of the application. */
const OTHERS = new Set(['node_modules', 'dist', 'build', 'coverage', 'out', 'target']);

/**
 * The package `typescript`, of the application or next to this package. It is not a dependency: applications in
 * TypeScript have it.
 */
export function loadTypeScript(folder: string): TypeScript {
  for (const from of [join(folder, 'package.json'), import.meta.url]) {
    let typescript: Partial<TypeScript>;
    try {
      typescript = createRequire(from)('typescript') as TypeScript;
    } catch {
      continue;
    }
    if (typeof typescript.createProgram === 'function') return typescript as TypeScript;
  }
  throw new CommandError(
    'migrate reads the sources with the TypeScript compiler, which is not installed here, or has no API (7 and later): ' +
      'npx -p typescript@5 -p nestjs-kafka-native nestjs-kafka-native migrate',
  );
}

/** The sources below a folder. */
export function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || OTHERS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourcesBelow(path);
    if (!SOURCE.test(entry.name) || DECLARATION.test(entry.name)) return [];
    // A link may lead nowhere.
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true ? [path] : [];
  });
}

/** The sources with their symbols, across files: imports are followed to other sources, by relative paths and `paths`, not to packages. */
export function createProgram(typescript: TypeScript, files: readonly string[]): ts.Program {
  const options: ts.CompilerOptions = {
    allowJs: true,
    noLib: true,
    types: [],
    target: typescript.ScriptTarget.ESNext,
    module: typescript.ModuleKind.ESNext,
    moduleResolution: typescript.ModuleResolutionKind.Bundler,
    experimentalDecorators: true,
    jsx: typescript.JsxEmit.Preserve,
  };
  const host = typescript.createCompilerHost(options, true);
  const known = new Set(files);
  const configs = new Map<string, ts.CompilerOptions>();
  const optionsOf = (file: string): ts.CompilerOptions => {
    const folder = dirname(file);
    let own = configs.get(folder);
    if (own === undefined) configs.set(folder, (own = { ...options, ...pathsFor(typescript, folder) }));
    return own;
  };
  host.resolveModuleNameLiterals = (literals, containing) =>
    literals.map(({ text }) => {
      const { resolvedModule } = typescript.resolveModuleName(text, containing, optionsOf(containing), host);
      const isOurs = resolvedModule !== undefined && known.has(resolvedModule.resolvedFileName);
      return { resolvedModule: isOurs ? resolvedModule : undefined };
    });
  return typescript.createProgram({ rootNames: files, options, host });
}

/** `baseUrl` and `paths` of the nearest tsconfig that has some: a monorepo's shared sources are imported by such names. */
function pathsFor(typescript: TypeScript, folder: string): Pick<ts.CompilerOptions, 'baseUrl' | 'paths'> {
  for (let at = folder; ; at = dirname(at)) {
    for (const name of ['tsconfig.json', 'tsconfig.base.json']) {
      const file = join(at, name);
      if (!existsSync(file)) continue;
      const { config } = typescript.readConfigFile(file, (path) => typescript.sys.readFile(path));
      const { options } = typescript.parseJsonConfigFileContent(
        config ?? {},
        { ...typescript.sys, readDirectory: () => [] },
        at,
      );
      if (options.paths === undefined) continue;
      return { baseUrl: options.baseUrl ?? at, paths: options.paths };
    }
    if (dirname(at) === at) return {};
  }
}
