import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { CommandError, wrongUsage } from '../front.js';

/**
 * The environment variable with the orders for the application's process. An application may check it to skip slow
 * steps.
 */
export const VARIABLE = 'NESTJS_KAFKA_NATIVE_INSPECTION';

/** The task for the application's process once it has started: a module whose default export is called. */
export interface Task {
  /** The module's URL. */
  readonly module: string;
  /** Its argument besides the application; plain data. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The orders for the application's process. */
export interface Orders extends Task {
  readonly entry: string;
}

/** The answer of that process. */
export type Report = Inspected | { readonly error: string };

interface Inspected {
  /** What the task has resolved to. */
  readonly result: unknown;
  /** With what the application has failed after it would have listened on a port. */
  readonly failure?: string;
}

/** The application's process ended before the application had started. */
export class ApplicationFailed extends CommandError {
  /** The output of the process. */
  readonly output: string;

  constructor(message: string, output: string) {
    super(`${message}${output === '' ? '' : `. It has printed:\n${output}`}`);
    this.output = output;
  }
}

/** Lines of an application's output that an error shows. */
const LAST_LINES = 40;

/**
 * Starts an application in a process of its own, up to where it would connect to Kafka or listen on a port, and runs
 * the task there. Everything else that the application does at its start happens.
 *
 * @param timeout milliseconds
 */
export async function inspect(entry: string, task: Task, timeout: number): Promise<Inspected> {
  const file = resolve(entry);
  if (!existsSync(file))
    throw wrongUsage(`${entry} is not there: give the file that node starts, for example dist/main.js`);
  const orders: Orders = { ...task, entry: file };
  const hook = new URL('hook.js', import.meta.url).href;
  const child = spawn(process.execPath, [...process.execArgv, '--import', hook, file], {
    env: { ...process.env, [VARIABLE]: JSON.stringify(orders), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
  try {
    const report = await new Promise<Report>((done, fail) => {
      let answer: Report | undefined;
      child.on('message', (message) => (answer = message as Report));
      child.on('error', fail);
      child.on('close', (code, signal) => {
        if (answer !== undefined) return done(answer);
        const end =
          signal === 'SIGKILL'
            ? `has not started within ${timeout} ms (--timeout)`
            : 'ended before it had started';
        fail(
          new ApplicationFailed(
            `${entry} ${end} (${signal ?? `exit code ${code}`})${typescriptHint(file)}`,
            tail(output),
          ),
        );
      });
    });
    if ('error' in report) throw new CommandError(report.error);
    return report;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

const typescriptHint = (file: string): string =>
  /\.[cm]?ts$/.test(file)
    ? ': it is TypeScript; give the compiled file, or a loader, as NODE_OPTIONS="--import …"'
    : '';

const tail = (output: string): string => output.trimEnd().split('\n').slice(-LAST_LINES).join('\n');

/** The URL of a task's module beside this folder. */
export const taskModule = (name: string): string => new URL(`../${name}.js`, import.meta.url).href;
