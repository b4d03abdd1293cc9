import { fileURLToPath } from 'node:url';
import { BroadcastChannel, setEnvironmentData } from 'node:worker_threads';
import { NestFactory } from '@nestjs/core';
import { ServerKafka } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';
import { Rig, SOON } from '../delivery/rig';
import { committed, createTopics, rawProducer, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { until } from '../harness/wait';

// What a thread has handled and its store does not know yet, is known to that thread alone.

const rig = new Rig('keys');
const AWAY = 0;

interface Told {
  readonly name: string;
  readonly thread: number;
}

function listening(name: string): { channel: BroadcastChannel; told: Told[] } {
  const told: Told[] = [];
  const channel = new BroadcastChannel(name);
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has none in Node's types
  channel.onmessage = (message) => told.push((message as { data: Told }).data);
  rig.keep({ close: async () => channel.close() });
  return { channel, told };
}

test('a message that was handled while the store was away goes to the thread that has handled it', async () => {
  const [pay, hold] = [`${rig.topic}.pay`, `${rig.topic}.hold`];
  await createTopics({ [pay]: 1, [hold]: 2 });
  const { told } = listening('keys-test');
  const { channel: ends } = listening('keys-test-end');
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
  const end = (name: string): void => ends.postMessage(name);
  const memory = new Int32Array(new SharedArrayBuffer(12));
  setEnvironmentData('keys-test', memory.buffer);
  process.env['WORKERS_TEST_TOPIC'] = rig.topic;
  // Of the server's own thread, whose copy of the application has a store too.
  const { applicationOf } = await import('./keys-application.mjs');
  const workerModule = fileURLToPath(new URL('keys-worker.mjs', import.meta.url));
  const options = rig.options({
    run: { workers: 2, workerModule },
    consumer: { retry: { ...SOON, retries: 10_000 } },
  });
  const app = await NestFactory.createMicroservice(applicationOf(rig.topic), {
    strategy: new ServerKafka(options),
    logger: logs,
  });
  rig.keep(app);
  await app.listen();
  const send = async (topic: string, value: string, partition = 0): Promise<void> => {
    await (await rawProducer()).send({ topic, messages: [{ value, partition }] });
    await until(`${value} is being handled`, () => told.some(({ name }) => name === value));
  };
  await send(pay, 'paid');
  await send(hold, 'other', 0);
  await send(hold, 'same', 1);
  const threadOf = (value: string): number | undefined => told.find(({ name }) => name === value)?.thread;
  expect(threadOf('same')).toBe(threadOf('paid'));
  expect(threadOf('other')).not.toBe(threadOf('paid'));
  end('other');
  await untilCommitted(rig.group, hold, 1, 0);
  // From here on the other thread has less to do.
  Atomics.store(memory, AWAY, 1);
  end('paid');
  await until('it waits', () => logs.matching('warn', 'waits for the store of @Idempotent').length > 0);
  Atomics.store(memory, AWAY, 0);
  const isRepeated = (): boolean => told.filter(({ name }) => name === 'paid').length > 1;
  await until('it is finished', async () => {
    if (isRepeated()) end('paid');
    return (await committed(rig.group, pay))[0] === 1;
  });
  end('same');
  expect(isRepeated()).toBe(false);
});
