// `npm run test:chaos`: --help says what it does.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HELP, readArguments, UsageError } from './arguments.mjs';

const BUILD = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
const startedAt = performance.now();

function say(line) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`[${seconds} s] ${line}\n`);
}

/** What kafkajs breaks under any faults: it writes records twice and in another order, and loses replies. */
const BROKEN_BY_STOCK = ['producer order and duplicates', 'replies'];

function concludeStock(found) {
  const good = found.filter(({ broken }) => BROKEN_BY_STOCK.every((one) => broken.includes(one))).length;
  say(`kafkajs's faults are found with ${good} of ${found.length} seeds`);
  return good === found.length ? 0 : 1;
}

function conclude(found) {
  const bad = found.filter(({ broken }) => broken.length > 0).map(({ seed }) => seed);
  const which = bad.join(', ');
  say(
    `all invariants hold with ${found.length - bad.length} of ${found.length} seeds${which && `; not with ${which}`}`,
  );
  return bad.length > 0 ? 1 : 0;
}

/** A signal that Ctrl-C and its like give, so that what was started is stopped. */
function interruption() {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      say('giving up: the processes and brokers are stopped …');
      stop.abort(new Error('given up'));
    });
  }
  return stop.signal;
}

async function main() {
  const options = readArguments();
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  // Installs and builds what is missing, as the other commands do; so what is used comes after it.
  const isJudging = options.judge !== undefined;
  if (!isJudging && spawnSync(process.execPath, [BUILD], { stdio: 'inherit' }).status !== 0) return 2;
  const { judgeAgain, runAll } = await import('./session.mjs');
  if (isJudging) return judgeAgain(options.judge, say) > 0 ? 1 : 0;
  const signal = interruption();
  try {
    const found = await runAll(options, { say, signal });
    return options.stock ? concludeStock(found) : conclude(found);
  } catch (error) {
    if (signal.aborted) return 130;
    throw error;
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`test:chaos: ${isUsage ? `${error.message} (--help says more)` : error.stack}\n`);
  process.exitCode = 2;
}
