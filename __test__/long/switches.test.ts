import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { BROKERS, unique } from '../harness/broker';

const PROGRAM = fileURLToPath(new URL('../switches/program.mjs', import.meta.url));
const RUNS = 20;
const VALUES = Array.from({ length: 16 }, (_, n) => n + 5);

test.each(['fetcher', 'all'])(
  'without %j a seek to below the log goes on at its beginning, each time',
  { timeout: RUNS * 110_000 },
  async (without) => {
    const env = { ...process.env, NESTJS_KAFKA_NATIVE_WITHOUT: without };
    for (let n = 0; n < RUNS; n++) {
      const args = [PROGRAM, BROKERS.join(','), unique('switches'), 'seeks'];
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 100_000 });
      expect(JSON.parse(stdout)).toMatchObject({ values: VALUES, again: VALUES, crashes: [] });
    }
  },
);
