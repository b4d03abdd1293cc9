// A process with a server and a client that makes others of itself, by child_process.fork() or by cluster: argv[2] says which.
import { fork } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { busy, PREFIX, startClient, startServer } from './pair.mjs';

const CHILDREN = 2;

async function parent(start) {
  const pair = await busy();
  const children = Array.from({ length: CHILDREN }, (_, index) => start(`${PREFIX}.${index}`));
  const ends = children.map((one) => once(one, 'exit'));
  const reports = await Promise.all(children.map((one) => once(one, 'message')));
  // The parent's own connections are as they were.
  const own = await pair.client.ask('parent');
  await pair.close();
  const exits = await Promise.all(ends);
  process.stdout.write(JSON.stringify({ own, reports: reports.map(([report]) => report), exits }));
}

async function child() {
  const app = await startServer();
  const client = await startClient();
  const answer = await client.ask('child');
  await client.close();
  await app.close();
  process.send({ answer, isWorker: cluster.isWorker });
  process.disconnect();
}

const WAYS = {
  fork: (prefix) => fork(process.argv[1], ['child'], { env: { ...process.env, PREFIX: prefix } }),
  cluster: (prefix) => {
    cluster.setupPrimary({ args: ['child'] });
    return cluster.fork({ PREFIX: prefix }).process;
  },
};

await (process.argv[2] === 'child' ? child() : parent(WAYS[process.argv[2]]));
