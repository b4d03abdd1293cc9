import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const execute = promisify(execFile);
const isWindows = process.platform === 'win32';

/** Runs npm and returns what it says. No package may run a script, here or in an application: this one has none. */
export async function npm(args: string[], cwd: string, env = process.env): Promise<string> {
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm is a script on Windows, which only a shell starts.
  const { stdout } = await execute('npm', [...args, ...quiet], { cwd, env, shell: isWindows });
  return stdout.trim();
}

/** Runs a script of the checkout. What it says goes to stdout, also why it failed. */
export async function script(file: string, args: string[]): Promise<void> {
  await execute(process.execPath, [join(ROOT, file), ...args], { cwd: ROOT }).catch(({ stdout }) => {
    throw new Error(`${file}: ${stdout}`);
  });
}

let bare: string | undefined;

/** An environment whose PATH has Node and npm and nothing else: no Rust, no compiler, no Java. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  if (isWindows) return process.env;
  if (bare === undefined) {
    bare = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-path-'));
    for (const name of ['node', 'npm'])
      symlinkSync(name === 'node' ? process.execPath : found(name), join(bare, name));
  }
  const { HOME, npm_config_cache: cache } = process.env;
  return { HOME, PATH: bare, ...(cache && { npm_config_cache: cache }) };
}

function found(name: string): string {
  const folders = process.env['PATH']?.split(delimiter) ?? [];
  const file = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (file === undefined) throw new Error(`there is no ${name} in PATH`);
  return realpathSync(file);
}
