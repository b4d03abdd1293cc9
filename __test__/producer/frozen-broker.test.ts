import { Kafka, logLevel } from 'nestjs-kafka-native';
import { expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { unique } from '../harness/broker';
import { pause } from '../harness/wait';

/** More than an idempotent producer has under way of one partition, unless they are sent together. */
const TOGETHER = 20;
/** Longer than the producer holds records back to send them together, in ms. */
const APART_MS = 30;
const WATCHED_MS = 3000;

test('an idempotent producer that waits for its broker does nothing meanwhile', async () => {
  await using broker = await startBroker();
  const topic = unique('frozen');
  const producer = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING }).producer({
    idempotent: true,
  });
  await producer.connect();
  const send = (value: string) => producer.send({ topic, messages: [{ value }] });
  await send('first');
  await broker.kill('SIGSTOP');
  const sent = Array.from({ length: TOGETHER }, (_, number) => send(String(number)));
  await pause(APART_MS);
  sent.push(send('behind them'));
  await pause(APART_MS);
  const before = process.cpuUsage();
  await pause(WATCHED_MS);
  const { user, system } = process.cpuUsage(before);
  await broker.kill('SIGCONT');
  await Promise.all(sent);
  await producer.disconnect();
  expect((user + system) / 1000).toBeLessThan(WATCHED_MS / 3);
});
