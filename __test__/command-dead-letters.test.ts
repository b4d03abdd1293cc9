import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, createTopics, endOffsets, kafka, rawProducer, unique } from './harness/broker';
import { Tap } from './harness/tap';
import { until } from './harness/wait';

const MAIN = join(import.meta.dirname, '../dist/esm/command/main.js');
const run = promisify(execFile);
const open: { close(): Promise<unknown> }[] = [];
let topic = '';
let dead = '';

beforeEach(async () => {
  topic = unique('letters');
  dead = `${topic}.DLT`;
  await createTopics({ [topic]: 2, [dead]: 2 });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(closeBroker);

/** What the command prints. */
async function command(verb: string, ...args: string[]): Promise<string> {
  const line = [MAIN, 'dead-letters', verb, dead, '--brokers', BROKERS.join(','), ...args];
  const { stdout } = await run(process.execPath, line);
  return stdout;
}

const json = async (verb: string, ...args: string[]): Promise<any> =>
  JSON.parse(await command(verb, '--json', ...args)) as unknown;

/** A message as the server puts it aside. */
const letter = (value: string, cause = 'TimeoutError', more: Record<string, string | Buffer> = {}) => ({
  key: value,
  value,
  partition: value.length % 2,
  headers: {
    id: value,
    'kafka_dlt-exception-fqcn': cause,
    'kafka_dlt-exception-message': `no ${value}`,
    'kafka_dlt-original-topic': topic,
    'kafka_dlt-original-partition': '0',
    'kafka_dlt-original-offset': '7',
    'retry_topic-attempts': Buffer.from([0, 0, 0, 3]),
    ...more,
  },
});

async function put(...messages: object[]): Promise<void> {
  await (await rawProducer()).send({ topic: dead, messages: messages as never });
}

async function copies(count: number, where = topic): Promise<Tap> {
  const tap = await Tap.on([where]);
  open.push(tap);
  await tap.read(where, count);
  return tap;
}

describe('list', () => {
  test('counts by origin and cause', async () => {
    await put(letter('a'), letter('b'), letter('cc', 'OutOfStock'));
    expect(await json('list')).toMatchObject({
      topic: dead,
      total: 3,
      causes: [
        { topic, cause: 'TimeoutError', count: 2, reason: expect.stringMatching(/^no [ab]$/) },
        { topic, cause: 'OutOfStock', count: 1, reason: 'no cc' },
      ],
    });
    expect(await command('list')).toContain(`${dead}: 3 messages\n\n2 messages of ${topic}, TimeoutError\n`);
    expect(await json('list', '--cause', 'OutOfStock')).toMatchObject({ total: 1 });
    expect(await json('list', '--cause', 'no a')).toMatchObject({ total: 1 });
    expect(await json('list', '--header', 'id=b')).toMatchObject({ total: 1 });
    expect(await json('list', '--header', 'none')).toMatchObject({ total: 0 });
    expect(await json('list', '--partition', '0')).toMatchObject({ total: 1 });
    expect(await json('list', '--since', '1h')).toMatchObject({ total: 3 });
    expect(await json('list', '--since', '2999-01-01')).toMatchObject({ total: 0 });
  });

  test('of an empty topic ends, and of one that is missing says so', async () => {
    expect(await json('list')).toEqual({ topic: dead, total: 0, causes: [] });
    dead = unique('missing');
    await expect(command('list')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`There is no topic ${dead}.`),
    });
  });
});

describe('show', () => {
  test('prints messages with their headers, so many at most', async () => {
    await put(letter('a'), { value: Buffer.from([255, 0]), key: null, partition: 0 });
    const lines = (await command('show', '--json')).trim().split('\n');
    const [first, second] = lines.map((line) => JSON.parse(line) as { value: unknown });
    const [text, bytes] = first?.value === 'a' ? [first, second] : [second, first];
    expect(text).toMatchObject({
      partition: 1,
      offset: '0',
      cause: 'TimeoutError',
      origin: { topic, partition: 0, offset: '7' },
      key: 'a',
      headers: expect.arrayContaining([['id', 'a']]),
    });
    expect(bytes).toMatchObject({ cause: 'unknown', origin: null, key: null, value: { base64: '/wA=' } });
    expect((await command('show', '--json', '--max', '1')).trim().split('\n')).toHaveLength(1);
    expect(await command('show', '--header', 'id')).toContain('  id: "a"\n');
  });

  test('reads what Spring Kafka has put aside', async () => {
    const spring = {
      'kafka_exception-fqcn': 'java.lang.IllegalStateException',
      'kafka_original-topic': topic,
      'kafka_original-partition': Buffer.from([0, 0, 0, 1]),
      'kafka_original-offset': Buffer.from([0, 0, 0, 0, 0, 0, 1, 0]),
    };
    await put({ value: 'x', partition: 0, headers: spring });
    expect(await json('show')).toMatchObject({
      cause: 'java.lang.IllegalStateException',
      origin: { topic, partition: 1, offset: '256' },
    });
  });
});

describe('replay', () => {
  test('writes messages to where they came from, byte for byte, without the headers of their failure', async () => {
    const bytes = Buffer.from([0, 255]);
    await put({ ...letter('a', 'E', { bin: bytes }), value: bytes });
    expect(await json('replay')).toMatchObject({ replayed: 1, interrupted: false, dryRun: false });
    const [copy] = await (await copies(1)).read(topic, 1);
    expect(copy).toMatchObject({
      key: 'a',
      value: bytes.toString('latin1'),
      headers: [
        ['bin', bytes.toString('latin1')],
        ['id', 'a'],
        ['nestjs-kafka-native-replays', '1'],
      ],
    });
  });

  test('goes on where it was, and says before what it would do', async () => {
    await put(letter('a'), letter('b'), letter('cc', 'OutOfStock'));
    expect(await json('replay', '--dry-run')).toMatchObject({ replayed: 3, dryRun: true });
    expect(await endOffsets(topic)).toEqual({ 0: 0, 1: 0 });
    expect(await json('replay', '--max', '2')).toMatchObject({ replayed: 2 });
    expect(await json('replay')).toMatchObject({ replayed: 1 });
    expect(await json('replay')).toMatchObject({ replayed: 0 });
    expect(await json('replay', '--dry-run')).toMatchObject({ replayed: 0, filtered: 0, dryRun: true });
    await put(letter('d'));
    expect(await json('replay', '--dry-run')).toMatchObject({ replayed: 1, dryRun: true });
    expect(await command('replay')).toBe('1 message replayed to where they came from\n');
    await copies(4);
    // Other options are another replay.
    expect(await json('replay', '--cause', 'OutOfStock')).toMatchObject({ replayed: 1, filtered: 3 });
  });

  test('does not loop: what has failed again is left, unless it is asked for', async () => {
    await put(letter('a', 'E', { 'nestjs-kafka-native-replays': '1' }), letter('b'));
    expect(await json('replay')).toMatchObject({ replayed: 1, looping: 1 });
    const args = ['--again', '--header', 'nestjs-kafka-native-replays'];
    expect(await json('replay', ...args)).toMatchObject({ replayed: 1, looping: 0, filtered: 1 });
    // Another replay, which begins at the start; then it goes on where it was.
    expect(await json('replay', '--again')).toMatchObject({ replayed: 2, looping: 0 });
    expect(await json('replay', '--again')).toMatchObject({ replayed: 0, looping: 0 });
    await put(letter('a', 'E', { 'nestjs-kafka-native-replays': '1' }));
    expect(await command('replay')).toContain(
      '1 message left: failed again after a replay (--again --header nestjs-kafka-native-replays replays them alone)\n',
    );
  });

  test('writes to another topic, also what has no origin', async () => {
    await put({ value: 'x', partition: 0 });
    expect(await json('replay')).toMatchObject({ replayed: 0, homeless: 1 });
    const other = unique('other');
    await createTopics({ [other]: 1 });
    expect(await json('replay', '--to', other)).toMatchObject({ replayed: 1 });
    expect(await json('replay', '--to', other)).toMatchObject({ replayed: 0 });
    await copies(1, other);
  });

  test('counts what it has put back in a rebalance once: --max is reached', async () => {
    await put(...Array.from({ length: 8 }, (_, i) => ({ ...letter(String(i)), partition: 0 })));
    const group = unique('shared');
    const args = ['--group', group, '--rate', '1', '--max', '6', '--json'];
    const slow = spawn(
      process.execPath,
      [MAIN, 'dead-letters', 'replay', dead, '-b', BROKERS.join(','), ...args],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const closed = once(slow, 'close');
    open.push({
      close: async () => {
        slow.kill('SIGKILL');
        await closed;
      },
    });
    let text = '';
    slow.stdout.on('data', (chunk) => (text += String(chunk)));
    await until('one is replayed', async () => Object.values(await endOffsets(topic)).some((end) => end > 0));
    // Another member comes while the next one waits for its time, and goes.
    const other = kafka.consumer({ groupId: group });
    await other.connect();
    await other.subscribe({ topics: [dead] });
    const joined = new Promise((resolve) => other.on(other.events.GROUP_JOIN, resolve));
    await other.run({ autoCommit: false, eachMessage: () => Promise.resolve() });
    await joined;
    await other.disconnect();
    expect(await closed).toEqual([0, null]);
    expect(JSON.parse(text)).toMatchObject({ replayed: 6, interrupted: false });
  });

  test('keeps to a rate; interrupted, it has committed what is acknowledged', async () => {
    await put(...Array.from({ length: 40 }, (_, i) => letter(String(i))));
    const line = [MAIN, 'dead-letters', 'replay', dead, '-b', BROKERS.join(','), '--rate', '10', '--json'];
    const slow = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    slow.stdout.on('data', (chunk) => (text += String(chunk)));
    const started = Date.now();
    await until('some are replayed', async () => {
      const ends = await endOffsets(topic);
      return (ends[0] ?? 0) + (ends[1] ?? 0) >= 10;
    });
    expect(Date.now() - started).toBeGreaterThan(800);
    slow.kill('SIGINT');
    const [code] = (await once(slow, 'close')) as [number];
    expect(code).toBe(1);
    const first = JSON.parse(text) as { replayed: number };
    expect(first).toMatchObject({ interrupted: true });
    const second = (await json('replay')) as { replayed: number };
    expect(first.replayed + second.replayed).toBe(40);
    expect(Object.values(await endOffsets(topic)).reduce((sum, end) => sum + end, 0)).toBe(40);
  });
});

describe('a command line that cannot be meant', () => {
  test.each([
    [[], 'What is to be done? list, show or replay'],
    [['drop', 'x'], 'What is to be done? list, show or replay'],
    [['list'], 'Which topic? dead-letters list <topic>'],
    [['list', 'x'], 'Which cluster?'],
    [['show', 'x', '-b', 'h:1', '--since', 'yesterday'], '--since takes a time'],
    [['show', 'x', '-b', 'h:1', '--partition', 'p'], '--partition takes a number'],
  ])('%j', async (args, message) => {
    const failure = run(process.execPath, [MAIN, 'dead-letters', ...args]);
    await expect(failure).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});
