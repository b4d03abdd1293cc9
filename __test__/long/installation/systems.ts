import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../package-consumers/install';

/** Builds the binary for another kind of Linux with this machine's tools, as `npm run build` does for its own, and returns its path. */
export async function binaryFor(triple: string): Promise<string> {
  const args = [join(ROOT, 'scripts/cross.mjs'), triple];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: ROOT,
    maxBuffer: 64 << 20,
  }).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${error.stdout}\n${error.stderr}`, { cause: error });
  });
  const built = /^\[.*\] (\S+\.node) /m.exec(stdout)?.[1];
  if (built === undefined) throw new Error(`no binary is named:\n${stdout}`);
  return built;
}

/** A folder with this checkout's binary and others, of which packages can be made. */
export function collected(folder: string, others: readonly string[]): string {
  mkdirSync(folder, { recursive: true });
  const own = readdirSync(ROOT).filter((name) => name.endsWith('.node'));
  for (const file of [...own.map((name) => join(ROOT, name)), ...others])
    copyFileSync(file, join(folder, basename(file)));
  return folder;
}

/** The packages of Debian that are missing of those that have these programs. */
export const missingOf = (programs: Readonly<Record<string, string>>): string[] =>
  Object.entries(programs)
    .filter(([program]) => spawnSync('which', [program]).status !== 0)
    .map(([, name]) => name);
