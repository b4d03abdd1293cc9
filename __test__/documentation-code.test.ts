import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Kafka, logLevel } from 'kafkajs';
import { startBroker, type Broker } from './broker/start.mjs';
import { blocksOf, PAGES } from './documentation/blocks';
import {
  compile,
  copy,
  folderOf,
  FORMATS,
  namedBlocks,
  pointAt,
  PROGRAMS,
  write,
} from './documentation/programs';
import { SET_UPS } from './documentation/set-ups';
import type { Format } from './documentation/programs';
import { within } from './harness/wait';
import { ROOT } from './package-consumers/install';
import { SchemaRegistryServer } from './schema-registry/registry';

// The code of the guide, of README and of doc comments, as it is printed there: compiled as CommonJS and as ES modules under `strict`,
// and run against a broker of its own, because it has names that are everybody's.

const MINUTE = 60_000;
const STARTED = 'docs/getting-started.md';
const SPEC = 'docs/testing.md';
const WAYS = 'docs/ways-in.md';
const WORKERS = 'docs/workers.md';
const SCHEMAS = 'docs/schema-registry.md';

/** Uses what the page's files export, as the application around them would. */
const CLIENTS = `
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { lastValueFrom } from 'rxjs';
import { ClientModule, Dragons } from './client.module.js';
import { events } from './factory.js';
import { DragonController } from './property.js';

@Module({ controllers: [DragonController] })
class PropertyModule {}

async function main() {
  const context = await NestFactory.createApplicationContext(ClientModule, { logger: ['error', 'warn'] });
  console.log('module', JSON.stringify(await context.get(Dragons).kill('Fafnir')));
  await context.get(Dragons).announce('Fafnir');
  await lastValueFrom(events.emit('hero.dragon.killed', { heroId: 'Siegfried', dragonId: 'Nidhogg' }));
  const second = await NestFactory.create(PropertyModule, { logger: ['error', 'warn'] });
  await second.init(); // @Client() is filled in by an application, not by a context
  console.log('property', JSON.stringify(await lastValueFrom(second.get(DragonController).kill())));
  await Promise.all([second.close(), events.close(), context.close()]);
}
void main();
`;

/** What the page leaves out of the service that it tests. */
const GREETER = `
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { type NestKafkaOptions, ServerKafka } from 'nestjs-kafka-native';

@Controller()
class GreeterController {
  @MessagePattern('greet')
  greet(@Payload() name: string) {
    return \`Hello, \${name}\`;
  }
}

@Module({ controllers: [GreeterController] })
class GreeterModule {}
`;

/** The spec of the page, with the cases that the page adds to it. */
function spec(): Record<string, string> {
  const [greeter, cases] = namedBlocks(SPEC).map(({ code }) => code);
  const more = blocksOf(SPEC).find(({ code }) => code.startsWith('it('))?.code;
  return {
    'greeter.ts': `${GREETER}${greeter}`,
    'greeter.spec.ts': `${cases?.replace(/\}\);\n$/, '')}\n${more}});\n`,
  };
}

let broker: Broker;
const running = new Set<ChildProcess>();
const said: Partial<Record<Format, string>> = {};

beforeAll(async () => {
  const formats = Object.keys(FORMATS) as Format[];
  const starting = startBroker({ properties: { 'num.partitions': 3, 'transaction.state.log.min.isr': 1 } });
  for (const format of formats) write(format, { [WAYS]: { 'client.ts': CLIENTS }, [SPEC]: spec() });
  for (const format of formats) said[format] = await compile(format);
  broker = await starting;
  for (const format of formats) pointAt(format, broker.brokers);
}, 5 * MINUTE);

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await broker?.dispose();
});

const silent = (): void => undefined;

/** A running program, the lines that it has printed, and how it ended. */
function start(
  file: string,
  cwd?: string,
): {
  child: ChildProcess;
  lines: string[];
  says(line: string | RegExp): Promise<void>;
  ended: Promise<unknown>;
} {
  const child = spawn(process.execPath, [file], {
    cwd,
    env: { ...process.env, KAFKA_BROKERS: broker.brokers, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const lines: string[] = [];
  let tell = silent;
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream! }).on('line', (line) => {
      lines.push(line);
      tell();
    });
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    tell();
    return signal ?? code;
  });
  const says = (line: string | RegExp): Promise<void> => {
    const printed = new Promise<void>((resolve, reject) => {
      tell = () => {
        if (lines.some((one) => (typeof line === 'string' ? one === line : line.test(one)))) resolve();
        else if (child.exitCode !== null) reject(new Error(`it ended:\n${lines.join('\n')}`));
      };
      tell();
    });
    return within(`${line}, after:\n${lines.join('\n')}`, printed, MINUTE);
  };
  return { child, lines, says, ended };
}

describe.each(Object.keys(FORMATS) as Format[])('%s', (format) => {
  test('all of it compiles under strict', () => {
    expect(said[format]).toBe('');
  });

  test(`${STARTED} does what it says`, async () => {
    const service = start(join(folderOf(format, STARTED), 'main.js'));
    await service.says('Fafnir is dead');
    await service.says('Ctrl-C ends it');
    expect(service.lines).toContain("[ { id: 1, name: 'Mythical Sword' } ]");
    service.child.kill('SIGINT');
    expect(await within('the end', service.ended)).toBe(0);
  });

  test(`README.md and ${WAYS} do what they say`, { timeout: 3 * MINUTE }, async () => {
    const service = start(join(folderOf(format, 'README.md'), 'main.js'));
    await service.says(/Nest microservice successfully started/);
    const client = start(join(folderOf(format, WAYS), 'client.js'));
    expect(await within('the client', client.ended, MINUTE), client.lines.join('\n')).toBe(0);
    const sword = JSON.stringify([{ id: 1, name: 'Mythical Sword' }]);
    expect(client.lines).toEqual(expect.arrayContaining([`module ${sword}`, `property ${sword}`]));
    await service.says('Siegfried killed Nidhogg');
    service.child.kill('SIGTERM');
    // The hooks close the application, and then let the signal end the process.
    expect(await within('the end', service.ended)).toBe('SIGTERM');
  });
});

describe(`${SCHEMAS} does what it says`, { timeout: 3 * MINUTE }, () => {
  const registry = new SchemaRegistryServer();
  beforeAll(() => registry.start());
  afterAll(() => registry.stop());

  test.each(Object.keys(FORMATS) as Format[])('%s', async (format) => {
    const file = join(folderOf(format, SCHEMAS), 'main.js');
    const code = readFileSync(file, 'utf8');
    expect(code).toContain('http://localhost:8081');
    writeFileSync(file, code.replace('http://localhost:8081', registry.url));
    const service = start(file);
    await service.says('shipment 7: sword');
    service.child.kill('SIGTERM');
    expect(await within('the end', service.ended)).toBe('SIGTERM');
    expect(registry.requests).toContain('POST /subjects/shipments-value/versions');
  });
});

test(`${WORKERS} does what it says`, { timeout: 3 * MINUTE }, async () => {
  // As after the build of an application, whose files are in dist/.
  const folder = folderOf('esm', WORKERS);
  symlinkSync('.', join(folder, 'dist'));
  const service = start(join(folder, 'main.js'), folder);
  await service.says(/Nest microservice successfully started/);
  const producer = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  const send = (): Promise<unknown> =>
    producer.send({ topic: 'pictures', messages: [{ value: JSON.stringify({ id: '7' }) }] });
  await send();
  // The server reads from the end of its topic, which may be found out after the first message was sent.
  const again = setInterval(() => void send().catch(silent), 1000);
  await service.says('thumbnail of 7, made in a worker').finally(() => clearInterval(again));
  await producer.disconnect();
  service.child.kill('SIGTERM');
  expect(await within('the end', service.ended)).toBe('SIGTERM');
});

describe('runs as it is printed:', { timeout: 3 * MINUTE }, () => {
  test.each(PROGRAMS.map(({ title, page, file }) => [title, page, file] as const))(
    '%s',
    async (_, page, file) => {
      const program = start(join(folderOf('esm', page), file.replace(/ts$/, 'js')));
      expect(await within('its end', program.ended, 2 * MINUTE), program.lines.join('\n')).toBe(0);
    },
  );

  test(`${SPEC}: the spec, in Vitest`, async () => {
    const folder = join(ROOT, 'target/documentation/spec');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    copy('esm', SPEC, folder);
    cpSync(join(ROOT, 'examples/testing/vitest.config.mts'), join(folder, 'vitest.config.mts'));
    const env = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|TEST)/.test(name));
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [vitest, 'run', '--config', 'vitest.config.mts', '--root', '.'],
      { cwd: folder, env: { ...Object.fromEntries(env), NO_COLOR: '1', CI: '1' } },
    );
    expect(stdout).toMatch(/Tests\s+3 passed \(3\)/);
  });
});

test('no set-up is for a block that is not there any more', () => {
  const titles = new Set(PROGRAMS.map(({ title }) => title));
  expect(Object.keys(SET_UPS).filter((title) => !titles.has(title))).toEqual([]);
});

describe('commands', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const commands = [...PAGES, 'CONTRIBUTING.md', 'examples/README.md'].flatMap((page) =>
    blocksOf(page)
      .filter(({ language }) => language === 'sh')
      .flatMap(({ code }) => code.split(/\n|&& /))
      .map((line) =>
        line
          .replace(/ #.*$/, '')
          .replace(/^(\w+=\S+ )+/, '')
          .trim(),
      )
      .filter((line) => line !== ''),
  );

  test.each([...new Set(commands)])('%s', async (command) => {
    const [program, ...words] = command.split(/\s+/) as [string, ...string[]];
    if (program === 'npm' && words[0] === 'run') expect(scripts).toHaveProperty([words[1]!]);
    if (program === 'npm' && words[1] === 'bench' && words.includes('--')) {
      const { parseOptions } = await import(new URL('../benchmark/src/options.mjs', import.meta.url).href);
      expect(() => parseOptions(words.slice(words.indexOf('--') + 1))).not.toThrow();
    }
    const file = words.find((word) => /^(scripts|__test__|benchmark)\/.*\.m?[jt]s$/.test(word));
    if (program === 'node' && file !== undefined) expect(existsSync(join(ROOT, file))).toBe(true);
    expect(['npm', 'npx', 'node', 'kafka-consumer-groups.sh', 'git', 'diff', 'export']).toContain(program);
  });
});
