// Connects and closes a server and a client argv[2] times, and prints what the process holds after each: file descriptors, threads,
// what keeps the event loop alive, and memory.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { PREFIX, startClient, startServer } from './pair.mjs';

/** Longest wait for a thread to end, in milliseconds. */
const PATIENCE = 60_000;
/** Longest wait for what keeps the event loop alive to be what it was after an earlier cycle, in milliseconds. */
const SETTLING = 5000;

/** Threads of a consumer or a producer, this package's and librdkafka's. */
const OF_CLIENTS = /^(kafka-consumer|kafka-producer|rdk:)/;
/** Threads that promises wait on. Calls that block have one each, which is kept for the next such call and ends when none comes for 10 s. */
const OF_CALLS = /^kafka-control/;

function threadNames() {
  return readdirSync('/proc/self/task').flatMap((id) => {
    try {
      return [readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** What keeps the event loop alive, but for the pipes of the output. */
const resources = () => process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap');

const count = (pattern) => threadNames().filter((name) => pattern.test(name)).length;

/** Waits until there are at most so many threads of a kind; how many there are then. */
async function atMost(limit, pattern) {
  const deadline = Date.now() + PATIENCE;
  while (count(pattern) > limit && Date.now() < deadline) await setTimeout(10);
  return count(pattern);
}

/** The fewest resources after a cycle so far. */
let fewest = Infinity;

/** Waits for those that end right behind a close as well. */
async function settled() {
  const deadline = Date.now() + SETTLING;
  while (resources().length > fewest && Date.now() < deadline) await setTimeout(10);
  const left = resources();
  fewest = Math.min(fewest, left.length);
  return left;
}

async function held() {
  // A close answers when all is said; the threads end right behind it.
  const clients = await atMost(0, OF_CLIENTS);
  const left = await settled();
  globalThis.gc();
  return {
    clients,
    descriptors: readdirSync('/proc/self/fd').length,
    // Node's own; what is of calls comes and goes.
    threads: threadNames().filter((name) => !OF_CALLS.test(name)).length,
    resources: left.length,
    names: left,
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
  samples.push(await held());
}
const calls = await atMost(1, OF_CALLS);
process.stdout.write(JSON.stringify({ prefix: PREFIX, samples, calls }));
