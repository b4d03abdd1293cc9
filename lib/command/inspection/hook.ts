/**
 * Loaded before an application (`--import`): watches it start, then does the task that it was given, and ends the process.
 *
 * @packageDocumentation
 */
import { isMainThread } from 'node:worker_threads';
import type { Application } from './application.js';
import { VARIABLE, type Orders, type Report } from './inspect.js';
import { Recorder } from './recorder.js';

/** Whether nothing more is made is not told by anything: an application that has started is given so long, in milliseconds. */
const SETTLED = 500;

async function watch({ entry, module, options }: Orders): Promise<void> {
  let settled: NodeJS.Timeout | undefined;
  let hasStarted = false;
  let isOver = false;

  const report = async (): Promise<Report> => {
    const application = recorder.application();
    recorder.restore();
    const { default: task } = (await import(module)) as {
      default: (application: Application, options: Orders['options']) => Promise<unknown>;
    };
    return { result: await task(application, options) };
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
        // Without an application's own handlers, which may take their time or keep the process alive.
        process.send?.(answer, undefined, undefined, () => process.kill(process.pid, 'SIGKILL')),
      )
      .catch(() => process.exit(1));
  };
  const recorder = new Recorder(entry, (isStarted) => {
    hasStarted ||= isStarted;
    if (!hasStarted) return;
    clearTimeout(settled);
    settled = setTimeout(finish, SETTLED);
  });
  await recorder.install();
  process.once('beforeExit', finish);
}

const orders = JSON.parse(process.env[VARIABLE] ?? '{}') as Partial<Orders>;
// Threads and processes that the application starts inherit the flag that loads this, and are none of its business.
if (isMainThread && orders.entry !== undefined && process.argv[1] === orders.entry)
  await watch(orders as Orders);
