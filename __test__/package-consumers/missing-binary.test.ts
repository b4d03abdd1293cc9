import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { install, stopRegistry } from './install';
import { run } from './run';

// The installed package, where its binary is not: the errors are what Node and the system really say.

const NAME = 'nestjs-kafka-native';
const PROGRAM = `try { require('${NAME}/native') } catch ({ code, message }) { console.log(JSON.stringify({ code, message })) }`;
let folder: string;

beforeAll(async () => {
  const installed = join(await install('nest12'), 'node_modules', NAME);
  folder = mkdtempSync(join(tmpdir(), `${NAME}-without-`));
  cpSync(installed, join(folder, 'node_modules', NAME), { recursive: true });
}, 300_000);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await stopRegistry();
});

async function failure(env: NodeJS.ProcessEnv = {}): Promise<{ code: string; message: string }> {
  const { facts } = await run(['-e', PROGRAM], { cwd: folder, prefix: '', env });
  return facts;
}

test('its package was left out', async () => {
  const { code, message } = await failure();
  expect(code).toBe('ERR_KAFKA_BINARY_UNAVAILABLE');
  expect(message).toContain(`${process.platform} ${process.arch}`);
  expect(message).toContain('is not installed. It is an optional dependency');
});

test('it does not load', async () => {
  const broken = join(folder, 'broken.node');
  writeFileSync(broken, 'not a library');
  const { code, message } = await failure({ NAPI_RS_NATIVE_LIBRARY_PATH: broken });
  expect(code).toBe('ERR_KAFKA_BINARY_UNAVAILABLE');
  expect(message).toContain('is installed but does not load: ');
  expect(message).toContain(broken);
});

test('node_modules is of another system', async () => {
  const other = process.platform === 'darwin' ? 'linux-x64-musl' : 'darwin-arm64';
  const name = `${NAME}-${other}`;
  cpSync(
    join(folder, 'node_modules', NAME, 'package.json'),
    join(folder, 'node_modules', name, 'package.json'),
    {
      recursive: true,
    },
  );
  const { message } = await failure();
  expect(message).toContain(`node_modules holds the binary for ${other}: it was installed on another system`);
});
