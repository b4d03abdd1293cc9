/** What the processes of a run have in common: a recorder, a random source, and a parent that asks them to end. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as later } from 'node:timers/promises';
import { hash, Random } from '../random.mjs';
import { Recorder } from '../recorder.mjs';

/** What the parent has said of this process. */
export const settings = JSON.parse(process.argv[2]);
export const recorder = new Recorder(settings.folder, settings.name);
export const random = new Random(hash(`${settings.seed} ${settings.name}`));

/** Patience that the run's faults must not use up: what fails is tried again for longer than any of them lasts. */
export const RETRY = { retries: 30, initialRetryTime: 200, maxRetryTime: 2000 };

/** How members of classic groups live; with KIP-848 the broker decides it. */
export const SESSION = { sessionTimeout: 6000, heartbeatInterval: 500 };

/** The end that the parent asks for: whether it has, and a promise of it. */
export const end = { isAsked: false, asked: undefined };
end.asked = new Promise((resolve) => {
  process.on('message', () => {
    end.isAsked = true;
    resolve();
  });
});
// A parent that is gone asks for nothing any more.
process.on('disconnect', () => process.exit(1));
// Ctrl-C reaches all processes of a terminal; the parent decides.
process.on('SIGINT', () => undefined);

for (const event of ['unhandledRejection', 'uncaughtException']) {
  process.on(event, (error) => {
    recorder.note('unhandled', { error: String(error?.stack ?? error) });
    process.exit(70);
  });
}

/** Tells the parent that the work has begun. */
export function ready() {
  process.send('ready');
}

/** Lets the process end by itself once everything of its own is closed; what keeps it is a fault. */
export function leave() {
  process.removeAllListeners('disconnect');
  process.removeAllListeners('SIGINT');
  process.disconnect();
}

/** Starts something until it works or the parent asks for the end: brokers may be away. Answers whether it works. */
export async function persist(start) {
  while (!end.isAsked) {
    try {
      await start();
      return true;
    } catch (error) {
      recorder.note('start failed', { error: `${error?.name}: ${error?.message}` });
      await later(500);
    }
  }
  return false;
}

/** A client is let go of after `close()` where its group's coordinator is away: librdkafka waits for that to answer. */
const LETTING_GO_MS = 30_000;

let before;

/** Notes what this process takes of the machine before its clients are made, where the machine tells it. */
export function noteResourcesBefore() {
  before = resources();
  if (before !== undefined) recorder.note('resources', { phase: 'before', ...before });
}

/** Notes it after they are closed, once their threads have ended. */
export async function noteResourcesAfter() {
  if (before === undefined) return;
  const deadline = performance.now() + LETTING_GO_MS;
  while (resources().threads > before.threads && performance.now() < deadline) await later(100);
  globalThis.gc?.();
  recorder.note('resources', { phase: 'after', ...resources() });
}

/** Undefined where the system does not tell: the invariant then has nothing to judge. */
function resources() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return {
      threads: Number(/^Threads:\s+(\d+)/m.exec(status)[1]),
      descriptors: readdirSync('/proc/self/fd').length,
      residentMiB: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024),
    };
  } catch {
    return undefined;
  }
}
