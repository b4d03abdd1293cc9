// Two worker threads at once with a server and a client each, both ended in the middle of their traffic, in a process that has its own.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { busy, PREFIX } from './pair.mjs';

const ROUNDS = 2;

async function main() {
  const pair = await busy();
  const exits = [];
  for (let round = 0; round < ROUNDS; round++) {
    const workers = [0, 1].map((index) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: `${PREFIX}.${index}` });
      return { worker, ready: once(worker, 'message') };
    });
    await Promise.all(workers.map(({ ready }) => ready));
    exits.push(await Promise.all(workers.map(({ worker }) => worker.terminate())));
  }
  const answer = await pair.client.ask('main');
  await pair.close();
  process.stdout.write(JSON.stringify({ answer, exits }));
}

if (isMainThread) {
  await main();
} else {
  await busy(workerData);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
  parentPort.postMessage('busy');
}
