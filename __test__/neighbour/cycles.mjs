// Connects and closes a server and a client argv[2] times, and prints what the process holds after each: file descriptors, threads,
// what keeps the event loop alive, and memory.
import { readdirSync } from 'node:fs';
import { PREFIX, startClient, startServer } from './pair.mjs';

function held() {
  globalThis.gc();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    resources: process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap').length,
    rss: process.memoryUsage.rss(),
    heap: process.memoryUsage().heapUsed,
  };
}

const samples = [];
for (let cycle = 0; cycle < Number(process.argv[2]); cycle++) {
  const app = await startServer();
  const client = await startClient();
  const answer = await client.ask('cycle');
  if (answer !== 'cycle') throw new Error(`answered ${answer}`);
  await client.close();
  await app.close();
  samples.push(held());
}
process.stdout.write(JSON.stringify({ prefix: PREFIX, samples }));
