// Owns one broker process, so that no broker outlives the run that asked for it: when the parent ends, even by
// SIGKILL, the channel to it closes and the broker is killed. Started by start.mjs, in a process group of its
// own: a Ctrl-C reaches the parent, which decides.

import { spawn } from 'node:child_process';
import { createWriteStream, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const { command, args, logFile, started, removeWhenOrphaned } = JSON.parse(process.argv[2]);

const log = createWriteStream(logFile, { flags: 'a' });
const broker = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });

for (const stream of [broker.stdout, broker.stderr]) {
  createInterface({ input: stream }).on('line', (line) => {
    log.write(`${line}\n`);
    if (line.includes(started)) tell({ event: 'started' });
  });
}

broker.on('error', (error) => finish({ event: 'exit', error: error.message }));
broker.on('close', (code, signal) => finish({ event: 'exit', code, signal }));

process.on('message', ({ signal }) => broker.kill(signal));
process.on('disconnect', () => broker.kill('SIGKILL'));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => broker.kill('SIGKILL'));

function tell(message) {
  if (process.connected) process.send(message, () => {});
}

function finish(message) {
  const orphaned = !process.connected;
  log.end(() => {
    if (orphaned && removeWhenOrphaned) rmSync(removeWhenOrphaned, { recursive: true, force: true });
    if (orphaned) process.exit();
    process.send(message, () => process.exit());
  });
}
