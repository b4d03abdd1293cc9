import { exec, execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blocksOf } from '../documentation/blocks';
import { ROOT } from './install';
import { npm, script } from './programs';

// The recipes of docs/bundlers.md, as they are printed, with the bundlers that a reader installs. The binary is in a package of its own,
// as in an application.

const PAGE = 'docs/bundlers.md';
const MINUTE = 60_000;
const PROGRAM = `
import { Kafka } from 'nestjs-kafka-native/kafka';
import { MockKafka } from 'nestjs-kafka-native/testing';

async function main() {
  const mock = MockKafka.start({ topics: { greetings: 1 } });
  const producer = new Kafka({ brokers: mock.brokers, logLevel: 1 }).producer();
  await producer.connect();
  const [written] = await producer.send({ topic: 'greetings', messages: [{ value: 'hello' }] });
  await producer.disconnect();
  await mock.stop();
  console.log(\`written to \${written.topicName} at \${written.baseOffset}\`);
}
void main();
`;
const COMMANDS = blocksOf(PAGE)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ code }) => code.trim().split('\n'));

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-bundlers-'));
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(ROOT, '__test__/package-consumers/bundlers', name), join(folder, name));
  const packages = join(folder, 'packages');
  await Promise.all([
    npm(['ci', '--prefer-offline'], folder),
    script('scripts/packages.mjs', ['--into', packages]),
  ]);
  const folders = readdirSync(packages).map((name) => join(packages, name));
  await npm(['pack', ...folders], folder);
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  // Its entry for Kafka alone needs no NestJS.
  await npm(
    ['install', '--prefer-offline', '--legacy-peer-deps', ...tarballs.map((name) => `./${name}`)],
    folder,
  );
  writeFileSync(join(folder, 'main.mjs'), PROGRAM);
  for (const { file, code } of blocksOf(PAGE))
    if (file !== undefined) writeFileSync(join(folder, file), code);
}, 10 * MINUTE);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command of the page in a folder without what was built before, and answers the file that it has made. */
async function build(command: string): Promise<string> {
  const out = join(folder, 'out');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  await promisify(exec)(command, { cwd: folder });
  return join(
    out,
    readdirSync(out).find((name) => /\.[cm]?js$/.test(name))!,
  );
}

test('the page has a recipe for each of the four', () => {
  for (const bundler of ['esbuild', 'webpack', 'rollup', 'ncc'])
    expect(COMMANDS.some((command) => command.startsWith(`npx ${bundler} `))).toBe(true);
});

test.each(COMMANDS)('%s', { timeout: 5 * MINUTE }, async (command) => {
  const { stdout } = await promisify(execFile)(process.execPath, [await build(command)], { cwd: folder });
  expect(stdout).toBe('written to greetings at 0\n');
});

test('a bundle that holds the package says what to do', { timeout: 5 * MINUTE }, async () => {
  const file = await build(
    "npx esbuild main.mjs --bundle --platform=node --format=esm '--external:nestjs-kafka-native-*' '--external:*.node' --outfile=out/main.mjs",
  );
  const failure = await promisify(execFile)(process.execPath, [file], { cwd: folder }).catch(
    (error) => error,
  );
  expect(failure.stderr).toContain('the package is part of a bundle');
  expect(failure.stderr).toContain('--external:nestjs-kafka-native');
  expect(failure.stderr).toContain('Dynamic require of "fs" is not supported');
});
