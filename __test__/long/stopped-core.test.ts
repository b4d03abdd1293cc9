import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ServerKafka } from 'nestjs-kafka-native';
import type { KafkaHealthOptions } from 'nestjs-kafka-native/terminus';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, committed } from '../harness/broker';
import { pause, until, within } from '../harness/wait';
import type { open, Probed, send, start } from '../observability/probed';
import { ROOT } from '../package-consumers/install';
import { script } from '../package-consumers/programs';

// O6 where the core itself stands still, without an error that anybody hears of: it is told to by functions that a build for this test
// alone has.

/** The functions of that build. */
interface Faults {
  /** librdkafka fetches nothing of what a group's consumers have, or fetches it again. Nobody is told. */
  holdFetches(group: string, wanted: boolean): void;
  /** What is fetched stays in its queue, or is taken out again. */
  holdRecords(wanted: boolean): void;
}

const BUILT = join(ROOT, 'target/binding/fault-injection');
/** It may compile all of librdkafka. */
const BUILD_TIMEOUT = 30 * 60_000;
const MAX_STALL = 1000;
const ALIVE = { probe: 'liveness' } as const;

let addon: string;
let faults: Faults;
let rig: { open: typeof open; send: typeof send; start: typeof start };

beforeAll(async () => {
  await script('scripts/build.mjs', ['--fault-injection']);
  addon = join(
    BUILT,
    readdirSync(BUILT).find((name) => name.endsWith('.node'))!,
  );
  // Before anything loads the package.
  process.env['NAPI_RS_NATIVE_LIBRARY_PATH'] = addon;
  rig = await import('../observability/probed');
  faults = createRequire(import.meta.url)(addon) as Faults;
}, BUILD_TIMEOUT);

afterEach(async () => {
  faults.holdRecords(false);
  for (const close of rig.open.splice(0).toReversed()) await close();
});
afterAll(closeBroker);

/** A server that has handled one message, and what it hears of from then on. */
async function started(consumer: object = {}) {
  const handled: string[] = [];
  const running = await rig.start((value) => void handled.push(value), { consumer });
  const { server, topic, group } = running;
  await rig.send(topic, 'a');
  await until('one is handled', () => handled.length === 1);
  await until('it is committed', async () => (await committed(group, topic))[0] === 1);
  return { ...running, handled, next: (event: string) => nextPayload(server, event) };
}

/** The payload of the next event of this name of a server's consumer. */
function nextPayload(server: ServerKafka, name: string): Promise<any> {
  const [, consumer] =
    server.unwrap<[unknown, { on(event: string, listen: (event: any) => void): unknown }]>();
  return new Promise((resolve) => {
    consumer.on(name, ({ payload }) => resolve(payload));
  });
}

const isDown = ({ status }: Probed): boolean => status === 503;

describe('a core that fetches nothing any more', () => {
  test('consumer.stallTimeout finds out; then maxStall has liveness and readiness fail', async () => {
    const { server, topic, group, probe, handled, next } = await started({ stallTimeout: MAX_STALL });
    const statuses: string[] = [];
    server.status.subscribe((status: string) => void statuses.push(status));
    faults.holdFetches(group, true);
    const stalled = next('consumer.stalled');
    await rig.send(topic, 'b', 'c');
    const { partitions, action } = await within('the stall', stalled);
    expect(partitions).toEqual([
      { topic, partition: 0, position: '1', end: '3', inHand: 0, duration: expect.any(Number) },
    ]);
    expect(action).toBe('report');
    expect(statuses.at(-1)).toBe('stalled');
    // Brokers answer, and the group has its member: nothing else is wrong.
    const checks: [options: KafkaHealthOptions, isFound: boolean][] = [
      [{ ...ALIVE, maxStall: MAX_STALL }, true],
      [{ probe: 'readiness', maxStall: MAX_STALL }, true],
      [{ probe: 'readiness', maxLag: 1 }, true],
      [ALIVE, false],
      [{ probe: 'readiness' }, false],
      [{ probe: 'startup' }, false],
    ];
    for (const [options, isFound] of checks) {
      const answer = await probe(options);
      expect({ options, isDown: isDown(answer) }).toEqual({ options, isDown: isFound });
    }
    const { body } = await probe({ ...ALIVE, maxStall: MAX_STALL });
    expect(body.details.kafka.problems).toMatchObject([{ groupId: group, since: expect.any(String) }]);
    expect(body.details.kafka.message).toContain(
      `handles nothing of ${topic} [0] at 1 (0 in hand), since 20`,
    );
    const over = next('consumer.stall_ended');
    faults.holdFetches(group, false);
    await within('its end', over);
    await until('all are handled', () => handled.length === 3);
    await until('it is up', async () => !isDown(await probe({ ...ALIVE, maxStall: MAX_STALL })));
    expect(handled).toEqual(['a', 'b', 'c']);
  });

  test('onStall: restart gets it going again', async () => {
    const { topic, group, probe, handled, next } = await started({
      stallTimeout: MAX_STALL,
      onStall: 'restart',
    });
    faults.holdFetches(group, true);
    const crashed = next('consumer.crash');
    await rig.send(topic, 'b');
    const { error, restart } = await within('the crash', crashed);
    expect(error).toMatchObject({ name: 'KafkaConsumerStalledError' });
    expect(restart).toBe(true);
    await until('the other is handled', () => handled.length === 2);
    expect(handled).toEqual(['a', 'b']);
    await until('it is up', async () => !isDown(await probe({ ...ALIVE, maxStall: MAX_STALL })));
  });

  // What the probes know is what was fetched: who wants to hear of this sets consumer.stallTimeout.
  test('without consumer.stallTimeout no probe finds out', async () => {
    const { topic, group, probe, handled } = await started();
    faults.holdFetches(group, true);
    // A fetch that was under way has been answered by then, and what it says is dropped.
    await pause(2000);
    await rig.send(topic, 'b');
    for (let asked = 0; asked < 10; asked++) {
      await pause(MAX_STALL / 2);
      expect(isDown(await probe({ ...ALIVE, maxStall: MAX_STALL }))).toBe(false);
      expect(isDown(await probe({ probe: 'readiness', maxStall: MAX_STALL, maxLag: 0 }))).toBe(false);
    }
    expect(handled).toEqual(['a']);
    faults.holdFetches(group, false);
    await until('the other is handled', () => handled.length === 2);
  });
});

describe('a core that takes nothing of what it fetches', () => {
  test.each([
    ['without consumer.stallTimeout', {}],
    ['with it', { stallTimeout: MAX_STALL }],
  ])('maxStall has liveness fail, %s', async (_, consumer) => {
    const { topic, probe, handled } = await started(consumer);
    faults.holdRecords(true);
    await rig.send(topic, 'b', 'c');
    const options = { ...ALIVE, maxStall: MAX_STALL };
    const { body } = await until('it is down', async () => {
      const answer = await probe(options);
      return isDown(answer) && answer;
    });
    expect(body.details.kafka.message).toContain(`handles nothing of ${topic} [0] at 1 (0 in hand)`);
    expect(handled).toEqual(['a']);
    faults.holdRecords(false);
    await until('it is up', async () => !isDown(await probe(options)));
    expect(handled).toEqual(['a', 'b', 'c']);
  });
});

test('no package is made of such a build', async () => {
  const into = join(ROOT, 'target/binding/fault-injection-packages');
  const packages = script('scripts/packages.mjs', ['--binaries', BUILT, '--into', into]);
  await expect(packages).rejects.toThrow(/is built with faults on command/);
});
