import { createRequire } from 'node:module';
import { readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { otherNest } from '../../nest/register/other-nest.js';
import type { Diagnoses } from './finding.js';

/** Supported Node.js releases: 20 and 22 from these minor versions on, and all later ones. */
const [OLDEST_20, OLDEST_22] = [19, 12];
/** The C library that the binary for glibc is linked against. */
const OLDEST_GLIBC = 2.28;
/** What loads the binary, from where this file is in the package. */
const BINDING = '../../../../binding/index.js';

/** Checks the machine and the installed packages, without a cluster. Returns whether the binary loads. */
export function checkInstallation(entry: string | undefined, diagnoses: Diagnoses): boolean {
  checkNode(process.versions.node, diagnoses);
  const isUsable = checkBinary(diagnoses);
  if (entry !== undefined) {
    checkCopies(entry, diagnoses);
    checkKafkajs(entry, diagnoses);
  }
  return isUsable;
}

/** Checks whether the binary runs under this Node.js. */
function checkNode(version: string, diagnoses: Diagnoses): void {
  diagnoses.checked(`Node.js ${version}`);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isSupported =
    (major === 20 && minor >= OLDEST_20) || (major === 22 && minor >= OLDEST_22) || major > 22;
  if (isSupported) return;
  diagnoses.error('node', {
    what: `Node.js is ${version}`,
    why: `The package is tested with 20.${OLDEST_20} and later of 20, 22.${OLDEST_22} and later of 22, and newer ones`,
    fix: 'Install a newer Node.js, and name it where the application is built: FROM node:22',
  });
}

function checkBinary(diagnoses: Diagnoses): boolean {
  const glibc = glibcVersion();
  const libc = process.platform !== 'linux' ? '' : glibc === undefined ? ', musl' : `, glibc ${glibc}`;
  const system = `${process.platform} ${process.arch}${libc}`;
  try {
    // Required: what an import is refused, Node.js 20 calls uncaught as well.
    createRequire(import.meta.url)(BINDING);
    diagnoses.checked(`the binary (${system})`);
    return true;
  } catch (error) {
    const isOld = glibc !== undefined && olderThan(glibc, String(OLDEST_GLIBC));
    diagnoses.error('binary', {
      what: `The binary does not load (${system})`,
      why: (error as Error).message,
      fix: isOld
        ? `Use an image with glibc ${OLDEST_GLIBC} or newer, for example FROM node:22-bookworm-slim`
        : 'npm install (without --omit=optional and --no-optional) on the kind of system that runs it',
    });
    return false;
  }
}

const olderThan = (version: string, than: string): boolean => {
  const [a = 0, b = 0] = version.split('.').map(Number);
  const [x = 0, y = 0] = than.split('.').map(Number);
  return a < x || (a === x && b < y);
};

function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

/** Packages of which an application may have only one copy: `instanceof` fails between two. */
const SINGLE = ['@nestjs/microservices', '@nestjs/common', '@nestjs/core', 'rxjs', 'reflect-metadata'];

function checkCopies(entry: string, diagnoses: Diagnoses): void {
  const nest = otherNest(entry);
  const application = createRequire(entry);
  const own = resolved(application, 'nestjs-kafka-native/package.json');
  if (own === undefined) {
    diagnoses.note(
      'nestjs-kafka-native is not installed in the application: npm install nestjs-kafka-native, or run it with the copy of this command for a look',
    );
    return;
  }
  for (const name of SINGLE) {
    const theirs = resolved(application, name);
    const ours = resolved(createRequire(own), name);
    if (theirs === undefined || ours === undefined || theirs === ours) continue;
    diagnoses.error('copies', {
      what: `There are two copies of ${name}: ${theirs} and ${ours}`,
      why:
        name === '@nestjs/microservices' && nest !== undefined
          ? 'The application uses one and this package the other: under register its servers stay with kafkajs, and classes are no instances of one another'
          : 'What is made by one is none of the other: instanceof is false, and decorators of one are not seen by the other',
      fix: `Let npm keep one: npm dedupe ${name}, and the same range of it wherever it is a dependency (npm ls ${name})`,
    });
  }
  diagnoses.checked('copies of NestJS and RxJS');
}

function resolved(require: NodeJS.Require, name: string): string | undefined {
  try {
    return realpathSync(require.resolve(name));
  } catch {
    return undefined;
  }
}

const IMPORTS = /(?:\bfrom\s*|\brequire\(\s*|\bimport\(?\s*)(['"])kafkajs\1/;

/** Finds the application's own files that import kafkajs. */
function checkKafkajs(entry: string, diagnoses: Diagnoses): void {
  const folder = dirname(entry);
  for (const file of filesBelow(folder)) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const line = lines.findIndex((text) => IMPORTS.test(text) && !/^\s*(?:import|export) type\b/.test(text));
    if (line === -1) continue;
    diagnoses.warning('kafkajs', {
      what: `${relative(process.cwd(), file)}:${line + 1} imports kafkajs`,
      why: 'What it makes of it stays on kafkajs: its producers, consumers and errors are not those of this package',
      fix: `${(lines[line] as string).trim().replace(/(['"])kafkajs\1/, '$1nestjs-kafka-native/kafka$1')} (npx nestjs-kafka-native migrate does it)`,
    });
  }
  diagnoses.checked(`imports of kafkajs below ${relative(process.cwd(), folder) || '.'}`);
}

function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    // A link may lead nowhere, or to a folder.
    else if (/\.[cm]?js$/.test(entry.name) && statSync(path, { throwIfNoEntry: false })?.isFile()) yield path;
  }
}
