import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel, ServerKafka } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { describe, expect, test } from 'vitest';
import { consumerOf, nextEvent, Rig } from '../delivery/rig';
import { BROKERS, createTopics, rawProducer } from '../harness/broker';
import { Gate, pause, until, within } from '../harness/wait';
import { notices } from './recorded';

const rig = new Rig('stall');

const make = (consumer: object): ServerKafka => new ServerKafka({ consumer } as never);

describe('O6 consumer.stallTimeout', () => {
  test('a handler that never returns: event, channel, status and log, once; and when it goes on', async () => {
    await createTopics({ [rig.topic]: 2 });
    const gate = new Gate();
    const handled: string[] = [];
    const lines: any[] = [];
    const running = await rig.serve(
      async (data) => {
        if (data === '0:b') await gate.pass();
        handled.push(data);
      },
      {
        consumer: { stallTimeout: 400 },
        client: { logCreator: () => (entry: any) => void lines.push(entry) },
      },
    );
    const told = notices('stalled');
    const event = nextEvent(running, 'consumer.stalled');
    await rig.write('0:a', '0:b', '0:c', '1:a');
    const payload = await within('the event', event);
    const partitions = [
      {
        topic: rig.topic,
        partition: 0,
        position: '1',
        end: '3',
        inHand: 2,
        duration: expect.any(Number),
      },
    ];
    expect(payload).toEqual({ groupId: rig.group, partitions, action: 'report' });
    expect(payload.partitions[0].duration).toBeGreaterThanOrEqual(400);
    expect(told).toEqual([
      { groupId: rig.group, clientId: `${rig.topic}-server`, partitions, action: 'report' },
    ]);
    expect(running.statuses.at(-1)).toBe('stalled');
    const line = lines.find(({ log }) => /stand still|stands still/.test(log.message));
    expect(line.log.message).toMatch(/\[0\] stands still at 1 for \d+ ms: 2 messages in hand/);
    // The other partition goes on, and nobody is told twice.
    await rig.write('1:b');
    await until('the other partition goes on', () => handled.includes('1:b'));
    await pause(800);
    expect(told).toHaveLength(1);
    const over = nextEvent(running, 'consumer.stall_ended');
    gate.open();
    await within('its end', over);
    expect(running.statuses.at(-1)).toBe('connected');
  });

  test('nothing waits, a paused partition, one that fails and comes again: no stall', async () => {
    await createTopics({ [rig.topic]: 2 });
    const told = notices('stalled');
    const running = await rig.serve(
      (data) => {
        if (data === '0:failing') throw new Error('again and again');
      },
      { consumer: { stallTimeout: 200, retry: { initialRetryTime: 600, maxRetryTime: 600, retries: 100 } } },
    );
    await pause(600);
    consumerOf(running).pause([{ topic: rig.topic, partitions: [1] }]);
    await rig.write('0:failing', '1:paused');
    await pause(1500);
    expect(told).toEqual([]);
  });

  test('by key: what fails and comes again is no stall, one that never returns is', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    const told = notices('stalled');
    const handled: string[] = [];
    let failures = 0;
    await rig.serve(
      async (data) => {
        if (data === 'failing' && ++failures > 0) throw new Error('again and again');
        if (data === 'hanging') await gate.pass();
        handled.push(data);
      },
      {
        run: { concurrency: { order: 'key' } },
        consumer: { stallTimeout: 200, retry: { initialRetryTime: 600, maxRetryTime: 600, retries: 100 } },
      },
    );
    const producer = await rawProducer();
    const write = (...values: string[]): Promise<unknown> =>
      producer.send({ topic: rig.topic, messages: values.map((value) => ({ key: value, value })) });
    await write('failing', 'other');
    // The position stays where one fails, for many times the time-out.
    await until('it has failed four times', () => failures >= 4);
    expect(handled).toEqual(['other']);
    expect(told).toEqual([]);
    await write('hanging');
    await until('it is told of', () => told.length === 1);
    expect(told[0].partitions).toMatchObject([{ topic: rig.topic, position: '0', inHand: 2 }]);
    gate.open();
  });

  test('onStall: restart starts the consumer anew, and it works on', async () => {
    await createTopics({ [rig.topic]: 2 });
    const gate = new Gate();
    const handled: string[] = [];
    const running = await rig.serve(
      async (data) => {
        if (data === '0:a' && handled.push('held') === 1) await gate.pass();
        handled.push(data);
      },
      {
        consumer: {
          stallTimeout: 300,
          onStall: 'restart',
          drainTimeout: 100,
          retry: { initialRetryTime: 50, maxRetryTime: 50 },
        },
      },
    );
    const crash = nextEvent(running, 'consumer.crash');
    await rig.write('0:a');
    const { error, restart } = await within('the crash', crash);
    expect(error).toMatchObject({ name: 'KafkaConsumerStalledError', retriable: true });
    expect(error.partitions).toMatchObject([{ topic: rig.topic, partition: 0, position: '0', inHand: 1 }]);
    expect(restart).toBe(true);
    await rig.write('1:b');
    await until('the other partition goes on', () => handled.includes('1:b'));
    // Two handlers of one partition at once there are not: the message comes again when the first one has ended.
    gate.open();
    await until('it is handled', async () => (await rig.committed())[0] === 1);
  });

  test(
    'a core that fetches nothing any more: a broker is asked, and tells',
    { timeout: 120_000 },
    async () => {
      const mock = MockKafka.start({ topics: { [rig.topic]: 1 } });
      rig.keep({ close: () => mock.stop() });
      const handled: string[] = [];
      const kafka = new Kafka({ brokers: mock.brokers, logLevel: logLevel.NOTHING });
      const producer = kafka.producer();
      await producer.connect();
      rig.keep({ close: () => producer.disconnect() });
      const consumer = kafka.consumer({
        groupId: rig.topic,
        ...MockKafka.consumerOptions,
        stallTimeout: 500,
      });
      await consumer.connect();
      rig.keep({ close: () => consumer.disconnect() });
      const stalled: any[] = [];
      consumer.on('consumer.stalled', ({ payload }) => void stalled.push(payload));
      const over = new Promise((resolve) => void consumer.on('consumer.stall_ended', resolve));
      await consumer.subscribe({ topics: [rig.topic], fromBeginning: true });
      await consumer.run({ eachMessage: async ({ message }) => void handled.push(String(message.value)) });
      await producer.send({ topic: rig.topic, messages: [{ value: 'a' }] });
      await until('one is handled', () => handled.length === 1);
      // What librdkafka gets is nothing, without an error that it would tell of.
      mock.failNext('Fetch', 'KAFKA_STORAGE_ERROR', 100_000);
      await pause(500);
      await producer.send({ topic: rig.topic, messages: [{ value: 'b' }] });
      await until('it is found out', () => stalled.length === 1);
      expect(stalled[0].partitions).toMatchObject([{ position: '1', end: '2', inHand: 0 }]);
      mock.clearFailures('Fetch');
      await within('its end', over);
      expect(handled).toEqual(['a', 'b']);
    },
  );

  test('onStall: exit ends the process with code 1, and its log is out', async () => {
    await createTopics({ [rig.topic]: 1 });
    await rig.write('0:a');
    const child = fork(fileURLToPath(new URL('stalling.mjs', import.meta.url)), [rig.topic], {
      env: { ...process.env, KAFKA_BROKERS: BROKERS.join(',') },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let output = '';
    child.stdout!.on('data', (data) => (output += String(data)));
    child.stderr!.on('data', (data) => (output += String(data)));
    const [code] = await within('its end', once(child, 'exit'));
    expect(code, output).toBe(1);
    expect(output).toMatch(/stands still at .*: 1 message in hand/);
  });

  test('options: onStall alone, and what is none of its values', () => {
    expect(() => make({ onStall: 'restart' })).toThrow(/consumer\.onStall .* consumer\.stallTimeout/);
    expect(() => make({ stallTimeout: 100, onStall: 'panic' })).toThrow(/consumer\.onStall/);
    expect(() => make({ stallTimeout: 0 })).toThrow(/consumer\.stallTimeout/);
  });
});
