import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../package-consumers/install';
import type { Diagnosis } from '../../lib/command/doctor/finding.js';

/** The program of the built package. */
export const PROGRAM = join(ROOT, 'dist/esm/command/main.js');

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the program to its end. */
export function run(
  args: readonly string[],
  { env = {}, cwd = ROOT }: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const settings = { cwd, env: { ...process.env, ...env }, timeout: 120_000, maxBuffer: 64 << 20 };
    execFile(process.execPath, [PROGRAM, ...args], settings, (error, out, err) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, out, err });
      else reject(error ?? new Error('it did not end'));
    });
  });
}

/** Runs `doctor --json`. */
export async function diagnose(
  args: readonly string[],
  options: Parameters<typeof run>[1] = {},
): Promise<Diagnosis & Ended> {
  const ended = await run(['doctor', ...args, '--json'], options);
  if (ended.out === '') throw new Error(`the doctor ended with ${ended.code}: ${ended.err}`);
  return { ...(JSON.parse(ended.out) as Diagnosis), ...ended };
}

/** The ids of what was found. */
export const idsOf = ({ findings }: Diagnosis): string[] => findings.map(({ id }) => id);
