/**
 * Loaded before an application (`--import`): watches it start, then runs the given task, and ends the process.
 *
 * @packageDocumentation
 */
import { isMainThread } from 'node:worker_threads';
import type { Application } from './application.js';
import { VARIABLE, type Orders, type Report } from './inspect.js';
import { Recorder } from './recorder.js';

/**
 * How long to wait after an application has started, in milliseconds: no event says that it will create no more
 * clients.
 */
const SETTLED = 500;

async function watch({ entry, module, options }: Orders): Promise<void> {
  let settled: NodeJS.Timeout | undefined;
  let hasStarted = false;
  let isOver = false;
  let failure: string | undefined;

  const report = async (): Promise<Report> => {
    const application = recorder.application();
    recorder.restore();
    const { default: task } = (await import(module)) as {
      default: (application: Application, options: Orders['options']) => Promise<unknown>;
    };
    return { result: await task(application, options), ...(failure === undefined ? {} : { failure }) };
  };
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(settled);
    report()
      .catch((error: unknown): Report => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        return { error: text };
      })
      .then((answer) =>
        // SIGKILL, because the application's own signal handlers may take long or keep the process alive.
        process.send?.(answer, undefined, undefined, () => process.kill(process.pid, 'SIGKILL')),
      )
      .catch(() => process.exit(1));
  };
  const recorder = new Recorder(entry, {
    onEvent: (isStarted) => {
      hasStarted ||= isStarted;
      if (!hasStarted) return;
      clearTimeout(settled);
      settled = setTimeout(finish, SETTLED);
    },
    // What follows may use the port, and must not end the process before it has answered.
    onListen: () =>
      process.on('uncaughtException', (error) => {
        failure ??= error instanceof Error ? error.message : String(error);
        finish();
      }),
  });
  await recorder.install();
  process.once('beforeExit', finish);
}

const orders = JSON.parse(process.env[VARIABLE] ?? '{}') as Partial<Orders>;
// Threads and processes that the application starts inherit the flag that loads this file, but are not inspected.
if (isMainThread && orders.entry !== undefined && process.argv[1] === orders.entry)
  await watch(orders as Orders);
