import type { KafkaContext } from '@nestjs/microservices';
import { describe, expect, test } from 'vitest';
import { createTopics, describeGroup, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { Gate, pause, until } from '../harness/wait';
import { consumerOf, nextEvent, Rig } from './rig';

const rig = new Rig('heartbeats');

/** Shortest session that the broker allows. */
const session = { sessionTimeout: 6000, heartbeatInterval: 1000 };

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe('C2 slow handlers stay in the group', () => {
  test.each([
    ['waits three times sessionTimeout', () => pause(18_000)],
    ['blocks the event loop for 20 s', () => block(20_000)],
  ])('a handler that %s', async (_, work) => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    const running = await rig.serve(
      async (data: string) => {
        seen.push(data);
        if (data === '0:slow') await work();
      },
      { consumer: session },
    );
    const { members } = await describeGroup(rig.group);
    const before = running.statuses.length;
    await rig.write('0:slow', '0:next');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen).toEqual(['0:slow', '0:next']);
    expect((await describeGroup(rig.group)).members.map(({ memberId }) => memberId)).toEqual(
      members.map(({ memberId }) => memberId),
    );
    expect(running.statuses).toHaveLength(before);
  });
});

describe('C2 heartbeat()', () => {
  test('resolves while the partition is drained and rejects once it is gone', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    let heartbeat: (() => Promise<void>) | undefined;
    const seen: string[] = [];
    const first = await rig.serve(
      async (data: string, context: KafkaContext) => {
        seen.push(data);
        if (data === '0:stuck' && !heartbeat) {
          heartbeat = context.getHeartbeat();
          await gate.pass();
        }
      },
      { consumer: { drainTimeout: 3000, heartbeatInterval: 500 } },
    );
    await rig.write('0:stuck');
    await until('the handler runs', () => heartbeat !== undefined);
    await heartbeat?.();
    const revoked = nextEvent(first, 'consumer.rebalancing');
    const joining = rig.serve(() => undefined);
    await revoked;
    await heartbeat?.();
    await until('the partition is gone', () =>
      heartbeat?.().then(
        () => false,
        () => true,
      ),
    );
    await expect(heartbeat?.()).rejects.toMatchObject({ type: 'REBALANCE_IN_PROGRESS', code: 27 });
    await joining;
    gate.open();
  });

  test('resolves while the server closes: the handler may finish', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    const beats: string[] = [];
    let heartbeat: (() => Promise<void>) | undefined;
    const running = await rig.serve(async (_: string, context: KafkaContext) => {
      heartbeat = context.getHeartbeat();
      await gate.pass();
      beats.push(
        await context
          .getHeartbeat()()
          .then(
            () => 'alive',
            () => 'gone',
          ),
      );
    });
    await rig.write('0:0');
    await until('the handler runs', () => heartbeat !== undefined);
    const closed = running.close();
    await pause(300);
    gate.open();
    await closed;
    expect(beats).toEqual(['alive']);
    expect(await rig.committed()).toEqual({ 0: 1 });
  });
});

describe('C2 handlerTimeout', () => {
  test('reports a handler that is stuck, once, and one that blocked the event loop', async () => {
    await createTopics({ [rig.topic]: 2 });
    const gate = new Gate();
    const running = await rig.serve(
      async (data: string) => {
        if (data === '0:1') await gate.pass();
        if (data === '1:0') block(700);
      },
      { consumer: { handlerTimeout: 500 } },
    );
    const reports: any[] = [];
    consumerOf(running).on('consumer.handler_timeout', ({ payload }: any) => reports.push(payload));
    await rig.write('0:0', '0:1');
    await until('it is reported', () => reports.length === 1);
    expect(reports[0]).toMatchObject({ topic: rig.topic, partition: 0, offset: '1', ended: false });
    expect(reports[0].duration).toBeGreaterThanOrEqual(500);
    expect(logs.matching('error', `message 1 of ${rig.topic} [0]`).length).toBe(1);
    await rig.write('1:0');
    await until('the other one is reported', () => reports.length === 2);
    expect(reports[1]).toMatchObject({ topic: rig.topic, partition: 1, offset: '0' });
    await pause(1200);
    expect(reports).toHaveLength(2);
    expect(running.statuses.at(-1)).toBe('stalled');
    const recovered = nextEvent(running, 'consumer.handler_recovered');
    gate.open();
    await untilCommitted(rig.group, rig.topic, 2);
    await recovered;
    expect(running.statuses).toEqual(['connected', 'stalled', 'connected']);
  });
});
