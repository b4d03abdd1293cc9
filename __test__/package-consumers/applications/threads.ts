// An application with a server and a client in its main thread, others in a worker thread, and a worker that is ended with both open.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Logger } from '@nestjs/common';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { scenario } from './scenario.js';

async function inWorker(prefix: string): Promise<unknown> {
  const worker = new Worker(process.argv[1] as string, { workerData: { prefix, ends: true } });
  const [[facts], [exitCode]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  return { facts, exitCode };
}

async function terminated(prefix: string): Promise<number> {
  const worker = new Worker(process.argv[1] as string, { workerData: { prefix, ends: false } });
  await once(worker, 'message');
  return worker.terminate();
}

async function stay(prefix: string): Promise<string> {
  Logger.overrideLogger(false);
  const brokers = [process.env['KAFKA_BROKERS'] as string];
  const server = new ServerKafka({ client: { brokers }, consumer: { groupId: prefix } });
  server.addHandler(`${prefix}.born`, async () => undefined, true);
  await server.listen((error) => {
    if (error) throw error;
  });
  const client = new ClientKafka({ client: { brokers }, consumer: { groupId: prefix } });
  client.subscribeToResponseOf(`${prefix}.sum`);
  await client.connect();
  return 'connected';
}

async function main(prefix: string): Promise<void> {
  const [own, other, exitCode] = await Promise.all([
    scenario(`${prefix}.a`),
    inWorker(`${prefix}.b`),
    terminated(`${prefix}.c`),
  ]);
  process.stdout.write(`${JSON.stringify({ own, worker: other, terminated: exitCode })}\n`);
}

async function work({ prefix, ends }: { prefix: string; ends: boolean }): Promise<void> {
  const report = await (ends ? scenario(prefix) : stay(prefix));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
  parentPort?.postMessage(report);
}

void (isMainThread ? main(process.env['PREFIX'] as string) : work(workerData));
