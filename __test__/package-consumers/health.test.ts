import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { closeBroker } from '../harness/broker';
import { innerRun } from '../harness/inner-run';
import { install, stopRegistry } from './install';

// This checkout has the newest Terminus, on which observability/health.test.ts runs by itself.

afterAll(closeBroker);
afterAll(stopRegistry);

test('O5 the probes of an application with NestJS 11 and Terminus 11', { timeout: 10 * 60_000 }, async () => {
  const folder = await install('nest11');
  for (const name of ['common', 'terminus']) {
    const manifest = readFileSync(join(folder, 'node_modules/@nestjs', name, 'package.json'), 'utf8');
    expect(JSON.parse(manifest).version).toMatch(/^11\./);
  }
  const output = await innerRun(['observability/health'], { env: { TESTED_INSTALLATION: folder } });
  expect(output).toMatch(/Test Files {2}1 passed/);
});
