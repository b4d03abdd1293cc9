// Runs other programs and reports about them in lines that a terminal and a CI log show alike.

import { spawn } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const startedAt = performance.now();
const HEARTBEAT = 20_000;

/** Cargo's lines about each crate: a hundred of them would hide the error below. */
const CARGO_PROGRESS = /^ *(?:Compiling|Checking|Downloading|Downloaded|Documenting) .*\n/gm;

/** Prints a line with the seconds since the start of the run. */
export function say(line) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`[${seconds} s] ${line}\n`);
}

/** Seconds since `start`, for a report. */
export function since(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM');
    process.exit(130);
  });
}

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: object, inherit?: boolean, heartbeat?: string }} options `cwd` is the repository
 * unless given; `inherit` hands it this terminal instead of collecting its output; `heartbeat` names the work in a
 * line every 20 s, with cargo's last progress line.
 * @returns {Promise<{ code: number, stdout: string, output: string }>}
 */
export function run(command, args, { cwd = ROOT, env, inherit = false, heartbeat } = {}) {
  return new Promise((resolve) => {
    const start = performance.now();
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      // npm is a script on Windows, which only a shell starts.
      shell: process.platform === 'win32' && command === 'npm',
    });
    let stdout = '';
    let output = '';
    let doing = '';
    const timer =
      heartbeat &&
      setInterval(() => say(`  … ${heartbeat}: ${since(start)}${doing && `, ${doing}`}`), HEARTBEAT);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (stream === child.stdout) stdout += text;
        doing = text.match(/(?:Compiling|Checking|Downloading|Documenting) \S+/g)?.at(-1) ?? doing;
      });
    }
    running.add(child);
    const end = (code, more = '') => {
      clearInterval(timer);
      running.delete(child);
      resolve({ code, stdout, output: output.replaceAll(CARGO_PROGRESS, '') + more });
    };
    child.on('error', (error) => end(127, `${command}: ${error.message}\n`));
    child.on('close', (code) => end(code ?? 1));
  });
}

/**
 * Runs the program of an installed npm package by its file: `npx` costs half a second. `starter` is a command that Node.js is started
 * by, with its arguments.
 */
export function runBin(name, args, { starter = [], ...options } = {}) {
  const [scope, rest] = name.split('/');
  const folder = join(ROOT, 'node_modules', name);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = typeof bin === 'string' ? bin : (bin[rest ?? scope] ?? Object.values(bin)[0]);
  const [command, ...words] = [...starter, process.execPath, join(folder, file), ...args];
  return run(command, words, options);
}

/** Ends the run with a message for the user instead of a stack trace. */
export class Failure extends Error {}

/** Runs a module's main function if the module is what Node was started with; a Failure becomes its message. */
export async function main(url, script) {
  if (realpathSync(process.argv[1]) !== fileURLToPath(url)) return;
  try {
    process.exitCode = (await script(process.argv.slice(2))) ?? 0;
  } catch (error) {
    process.stdout.write(
      `\n${error instanceof Failure || error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error.stack}\n`,
    );
    process.exitCode = 1;
  }
}
