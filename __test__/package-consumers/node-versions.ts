import { join } from 'node:path';
import { cached } from './cache';
import { npm } from './programs';

/** The major versions of Node that the package is for. */
export const NODE_VERSIONS = [20, 22, 24];

/** A major version of Node: this one, or one that npm brings as a package of its own for this system. */
export async function nodeOf(major: number): Promise<string> {
  if (major === Number(process.versions.node.split('.')[0])) return process.execPath;
  const isWindows = process.platform === 'win32';
  const system = `${isWindows ? 'win' : process.platform}-${process.arch}`;
  const name = `node-${system}`;
  const folder = await cached(`node-${major}-${system}`, (incoming) =>
    npm(['install', '--no-save', '--no-package-lock', '--prefix', incoming, `${name}@${major}`], incoming),
  );
  return join(folder, 'node_modules', name, 'bin', isWindows ? 'node.exe' : 'node');
}
