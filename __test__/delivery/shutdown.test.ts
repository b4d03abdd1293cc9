import { describe, expect, test } from 'vitest';
import { startBroker } from '../broker/start.mjs';
import { BROKERS, committed, createTopics, describeGroup, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { makeTopics } from '../harness/topics.mjs';
import { Gate, pause, until, within } from '../harness/wait';
import { Instances } from './instances';
import { consumerOf, nextEvent, numbered, Rig } from './rig';

const rig = new Rig('shutdown');

describe('E6 SIGTERM with shutdown hooks, under load', () => {
  test('handlers finish, offsets are committed, the group is left at once, the process ends by itself', async () => {
    await createTopics({ [rig.topic]: 4 });
    const instances = rig.keep(
      new Instances({
        topic: rig.topic,
        milliseconds: 50,
        shutdownHooks: true,
        options: {
          client: { brokers: BROKERS },
          // The other one must take over long before the session of the one that left would have ended.
          consumer: {
            groupId: rig.topic,
            sessionTimeout: 60_000,
            rebalanceTimeout: 60_000,
            heartbeatInterval: 500,
          },
          subscribe: { fromBeginning: true },
        },
      }),
    );
    const [leaving, staying] = [instances.start(), instances.start()];
    await Promise.all([leaving.listening(), staying.listening()]);
    await rig.write(...[0, 1, 2, 3].flatMap((partition) => numbered(partition, 100)));
    await until('both work', () => new Set(instances.handled().map(({ name }) => name)).size === 2);
    const told = Date.now();
    leaving.process.kill('SIGTERM');
    const { code, signal, at } = await within('the process to end', leaving.ended);
    // Nest re-raises the signal when its hooks are through.
    expect([code, signal]).toEqual([null, 'SIGTERM']);
    await until('all is handled', () => instances.distinct() === 400);
    const handled = instances.handled();
    const moved = new Set(
      handled.filter(({ name }) => name === leaving.name).map(({ partition }) => partition),
    );
    const taken = handled.filter(
      (each) => each.name === staying.name && moved.has(each.partition) && each.at > told,
    );
    const takeover = Math.min(...taken.map((each) => each.at)) - at;
    process.stdout.write(
      `SIGTERM: ended after ${at - told} ms; its partitions went on ${takeover} ms later; ${handled.length - 400} handled again\n`,
    );
    expect(handled).toHaveLength(400);
    // Half a session: it did not wait for the end of one.
    expect(takeover).toBeLessThan(30_000);
  });
});

describe('E6 drainTimeout', () => {
  test('bounds a close whose handler does not end, and says so; the message comes again', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    let started = 0;
    const running = await rig.serve(
      async () => {
        started += 1;
        await gate.pass();
      },
      { consumer: { drainTimeout: 500 } },
    );
    await rig.write('0:0');
    await until('the handler runs', () => started === 1);
    await within('the server to close', running.close());
    expect(await rig.committed()).toEqual({ 0: -1 });
    expect(logs.matching('error', `Unfinished messages: ${rig.topic} [0] (1)`)).toHaveLength(1);
    // What the handler leaves behind after the close goes nowhere and harms nobody.
    const again = await rig.serve(() => void (started += 1));
    gate.open();
    await untilCommitted(rig.group, rig.topic, 1);
    expect(started).toBe(2);
    await again.close();
  });

  test('0 waits for nobody', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    let started = false;
    const running = await rig.serve(
      async () => {
        started = true;
        await gate.pass();
      },
      { consumer: { drainTimeout: 0 } },
    );
    await rig.write('0:0');
    await until('the handler runs', () => started);
    await within('the server to close', running.close());
    gate.open();
  });
});

test('E6 a handler that commits by itself may do so while the server closes', async () => {
  await createTopics({ [rig.topic]: 1 });
  const gate = new Gate();
  let started = false;
  const failed: unknown[] = [];
  const running = await rig.serve(
    async (_: string, context) => {
      started = true;
      await gate.pass();
      const { offset } = context.getMessage();
      const next = [{ topic: rig.topic, partition: 0, offset: String(Number(offset) + 1) }];
      await context
        .getConsumer()
        .commitOffsets(next)
        .catch((error: unknown) => failed.push(error));
    },
    { run: { autoCommit: false } },
  );
  await rig.write('0:0');
  await until('the handler runs', () => started);
  const consumer = consumerOf(running);
  const closed = running.close();
  await pause(200);
  gate.open();
  await closed;
  expect(failed).toEqual([]);
  expect(await rig.committed()).toEqual({ 0: 1 });
  await expect(
    within('a late commit', consumer.commitOffsets([{ topic: rig.topic, partition: 0, offset: '1' }])),
  ).rejects.toThrow('consumer#run must be called first');
});

describe('E6 a revocation', () => {
  test('lets the running handler finish and commits before the partition goes', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    const seen: string[] = [];
    const first = await rig.serve(
      async (data: string) => {
        seen.push(`first ${data}`);
        if (data === '0:2') await gate.pass();
      },
      { consumer: { heartbeatInterval: 500 } },
    );
    await rig.write(...numbered(0, 6));
    await until('the slow handler runs', () => seen.length === 3);
    const rebalancing = nextEvent(first, 'consumer.rebalancing');
    const second = rig.serve((data: string) => void seen.push(`second ${data}`));
    await rebalancing;
    await pause(500);
    expect(seen).toHaveLength(3);
    gate.open();
    await second;
    await untilCommitted(rig.group, rig.topic, 6);
    expect(seen.map((entry) => entry.split(' ')[1])).toEqual(numbered(0, 6));
  });

  test('ends within the rebalance time-out, however long the drain time-out is', async () => {
    await createTopics({ [rig.topic]: 2 });
    const gate = new Gate();
    const seen: string[] = [];
    let instance = 0;
    const first = await rig.serve(
      async (data: string) => {
        seen.push(`1 ${data}`);
        if (data === '0:0' && instance++ === 0) await gate.pass();
      },
      {
        consumer: {
          sessionTimeout: 6000,
          rebalanceTimeout: 9000,
          heartbeatInterval: 500,
          drainTimeout: 600_000,
        },
      },
    );
    await rig.write('0:0', '1:0');
    await until('the handler runs', () => seen.length === 2);
    const { memberId } = (await describeGroup(rig.group)).members[0]!;
    await rig.serve((data: string) => void seen.push(`2 ${data}`), {
      consumer: { sessionTimeout: 6000, rebalanceTimeout: 9000 },
    });
    const { members } = await describeGroup(rig.group);
    // The slow one was not thrown out.
    expect(members.map((member) => member.memberId)).toContain(memberId);
    expect(members).toHaveLength(2);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 1, 0);
    expect(first.statuses).not.toContain('crashed');
  });
});

describe('E6 close() never hangs', () => {
  test('twice, at once and after', async () => {
    await createTopics({ [rig.topic]: 1 });
    const running = await rig.serve(() => undefined);
    await within('both to close', Promise.all([running.server.close(), running.server.close()]));
    await within('a third time', running.server.close());
  });

  test('during a rebalance', async () => {
    await createTopics({ [rig.topic]: 2 });
    const gate = new Gate();
    let started = 0;
    const first = await rig.serve(
      async () => {
        started += 1;
        await gate.pass();
      },
      { consumer: { heartbeatInterval: 500, drainTimeout: 2000 } },
    );
    await rig.write('0:0', '1:0');
    await until('the handlers run', () => started === 2);
    const rebalancing = nextEvent(first, 'consumer.rebalancing');
    const joining = rig.serve(() => undefined, { consumer: { heartbeatInterval: 500 } });
    await rebalancing;
    await within('the first one to close', first.close());
    const second = await joining;
    await within('the second one to close', second.close());
    gate.open();
  });

  test('while joining', async () => {
    await createTopics({ [rig.topic]: 1 });
    const failed: unknown[] = [];
    const starting = rig.serve(() => undefined).catch((error: unknown) => failed.push(error));
    const { ServerKafka } = await import('nestjs-kafka-native');
    const server = new ServerKafka(rig.options());
    const listening = server.listen((error?: unknown) => failed.push(error));
    await pause(5);
    await within('the server to close', server.close());
    await within('listen() to end', listening);
    await starting;
    // One server is left, the one that was not closed.
    await until('the other one has left', async () => (await describeGroup(rig.group)).members.length === 1);
  });

  test('with the broker gone, idle and at work', async () => {
    await using broker = await startBroker();
    const { ServerKafka } = await import('nestjs-kafka-native');
    const { Kafka, logLevel } = await import('kafkajs');
    const { listen, optionsFor } = await import('../harness/apps');
    const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await makeTopics(admin, [{ topic: rig.topic, numPartitions: 2 }]);
    await admin.disconnect();
    const gate = new Gate();
    let started = 0;
    const options = optionsFor(rig.topic, {
      client: { brokers: [broker.brokers] },
      subscribe: { fromBeginning: true },
    });
    const working = await listen(new ServerKafka(options) as never, [
      rig.events(async () => {
        started += 1;
        if (started === 2) await gate.pass();
      }),
    ]);
    const idle = await listen(
      new ServerKafka({ ...options, consumer: { ...options.consumer, groupId: 'idle' } }) as never,
      [rig.events(() => undefined)],
    );
    const producer = kafka.producer();
    await producer.connect();
    await producer.send({
      topic: rig.topic,
      messages: [
        { partition: 0, value: 'a' },
        { partition: 0, value: 'b' },
      ],
    });
    await producer.disconnect();
    await until('the handler runs', () => started === 2);
    const instances = rig.keep(
      new Instances({
        topic: rig.topic,
        milliseconds: 0,
        shutdownHooks: true,
        options: { client: { brokers: [broker.brokers] }, consumer: { groupId: 'process' } },
      }),
    );
    const instance = instances.start();
    await instance.listening();
    await broker.kill();
    const begin = Date.now();
    await within('the idle server to close', idle.close());
    const idleTook = Date.now() - begin;
    gate.open();
    await within('the working server to close', working.close());
    const told = Date.now();
    instance.process.kill('SIGTERM');
    const { code, signal, at } = await within('the process to end', instance.ended);
    expect([code, signal]).toEqual([null, 'SIGTERM']);
    process.stdout.write(`a process without a broker ended ${at - told} ms after SIGTERM\n`);
    process.stdout.write(
      `close() without a broker: ${idleTook} ms idle, ${Date.now() - begin - idleTook} ms at work\n`,
    );
  }, 180_000);
});

test('E6 autoCommit: false commits nothing, in a rebalance and at the end neither', async () => {
  await createTopics({ [rig.topic]: 2 });
  const seen: string[] = [];
  const run = { autoCommit: false };
  const first = await rig.serve((data: string) => void seen.push(data), {
    run,
    consumer: { heartbeatInterval: 500 },
  });
  await rig.write(...numbered(0, 5), ...numbered(1, 5));
  await until('all is handled', () => seen.length === 10);
  const second = await rig.serve((data: string) => void seen.push(data), { run });
  await first.close();
  await second.close();
  expect(await committed(rig.group, rig.topic)).toEqual({ 0: -1, 1: -1 });
});
