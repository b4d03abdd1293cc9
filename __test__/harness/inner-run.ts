import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { BROKERS } from './broker';

const ROOT = resolve(import.meta.dirname, '../..');

/** Runs a program to its end and returns its output; rejects with the output when it fails. */
export function finished(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    child.once('error', failed);
    child.once('close', (code) => (code === 0 ? done(output) : failed(new Error(`${command}: ${output}`))));
  });
}

/** Runs test files on the broker of this run, with another Node.js or another environment, and returns the output. */
export function innerRun(
  files: string[],
  { node = process.execPath, env = {} }: InnerRun = {},
): Promise<string> {
  // Without the outer run's own variables: the inner run is independent.
  const outer = Object.keys(process.env).filter((key) =>
    /^(VITEST|VITE_|TEST_TOTALS|TEST$|NODE_ENV|MODE$|DEV$|PROD$|BASE_URL|SSR)/.test(key),
  );
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  return finished(node, [vitest, 'run', '--project=integration', '--no-file-parallelism', ...files], {
    ...Object.fromEntries(outer.map((key) => [key, undefined])),
    KAFKA_BROKERS: BROKERS.join(','),
    NO_COLOR: '1',
    ...env,
  });
}

interface InnerRun {
  /** The Node.js that runs them. Default: this one. */
  node?: string;
  env?: NodeJS.ProcessEnv;
}
