import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, createTopics, unique } from '../harness/broker';
import { install, stopRegistry, type Dependencies, type Format } from './install';
import { OF_ITSELF, run } from './run';

// One unchanged NestJS application, with NestJS's own transport and with this one in its place.

const INSTALL_TIMEOUT = 300_000;
const REGISTER = 'nestjs-kafka-native/register';
const ANNOUNCED = [
  'Transport.KAFKA is served by nestjs-kafka-native; NESTJS_KAFKA_NATIVE=off gives it back to kafkajs',
];
const STOCK = { drivers: { kafkajs: true, native: false }, announced: [] };
const OURS = { drivers: { kafkajs: false, native: true }, announced: ANNOUNCED };

afterAll(closeBroker);
afterAll(stopRegistry);

async function topics(name: string): Promise<string> {
  const prefix = unique(name);
  const patterns = ['sum', 'sum.reply', 'count', 'count.reply', 'refuse', 'refuse.reply', 'born'];
  await createTopics(Object.fromEntries(patterns.map((pattern) => [`${prefix}.${pattern}`, 1])));
  return prefix;
}

async function runUnchanged(folder: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const prefix = await topics('unchanged');
  const { ended, facts } = await run(args, { cwd: folder, prefix, env });
  expect(ended).toEqual(OF_ITSELF);
  return JSON.parse(JSON.stringify(facts).replaceAll(prefix, 'PREFIX'));
}

const APPLICATIONS: [Dependencies, Format, string][] = [
  ['nest11', 'cjs', '-r'],
  ['nest11', 'esm', '--import'],
  ['nest12', 'cjs', '-r'],
  ['nest12', 'esm', '--import'],
];

describe.each(APPLICATIONS)('%s, %s, %s', (dependencies, format, flag) => {
  let withKafkajs: string;
  let without: string;
  let stock: any;
  const unchanged = `${format}/unchanged.js`;

  beforeAll(async () => {
    [withKafkajs, without] = await Promise.all([
      install(dependencies, { kafkajs: true }),
      install(dependencies),
    ]);
    stock = await runUnchanged(withKafkajs, [unchanged]);
  }, INSTALL_TIMEOUT);

  test('stock is what it is', () => {
    const answer = {
      sum: { sum: 6, where: ['.sum', 0], askedWith: 'k', colour: 'red', replyTopic: '.sum.reply' },
      refusal: { code: 'REFUSED', message: 'not today' },
    };
    const born = { data: { name: 'Alice' }, key: 'a', offset: '0' };
    expect(stock).toEqual({
      answers: [answer, answer, answer, answer],
      heard: [born, { data: 'Bob', key: 'b', offset: '1' }],
      ...STOCK,
    });
  });

  test('registered by the flag, without kafkajs: the same came out', async () => {
    expect(await runUnchanged(without, [flag, REGISTER, unchanged])).toEqual({ ...stock, ...OURS });
  });

  test('registered by its first line: the same came out', async () => {
    expect(await runUnchanged(withKafkajs, [`${format}/first-line.js`])).toEqual({ ...stock, ...OURS });
  });

  test('switched off by the environment: kafkajs', async () => {
    const facts = await runUnchanged(withKafkajs, [flag, REGISTER, unchanged], {
      NESTJS_KAFKA_NATIVE: 'off',
    });
    // The package is loaded, and NestJS does not use it.
    expect(facts).toEqual({ ...stock, drivers: { kafkajs: true, native: true } });
  });

  test('strategies and transports in one application', async () => {
    const { ended, facts } = await run([`${format}/strategies.js`], {
      cwd: without,
      prefix: await topics('half'),
    });
    expect(ended).toEqual(OF_ITSELF);
    expect(facts).toEqual({ answers: ['3', '4', '3', '4'], isOurs: [true, true], ...OURS });
  });
});
