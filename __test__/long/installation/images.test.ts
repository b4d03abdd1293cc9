import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, unique } from '../../harness/broker';
import { expected } from '../../package-consumers/expected';
import { ROOT } from '../../package-consumers/install';
import { npm } from '../../package-consumers/programs';
import { startRegistry, type Registry } from '../../package-consumers/registry';
import { topicsOfAll } from '../../package-consumers/run';
import { buildImage, runIn, type Image } from './dockerfile';
import { alpine, debian, missingForImages } from './images';
import { binaryFor, collected } from './systems';

// The Dockerfiles of the examples, built and run without Docker, on the file systems of images that are made of packages: for Alpine with
// the binary for musl, which is built for it here.

const MINUTES = 60_000;
const { name: PACKAGE, version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const NEST11 = JSON.parse(readFileSync(join(ROOT, '__test__/package-consumers/nest11/package.json'), 'utf8'));
const IMAGES = { 'node:22-bookworm-slim': debian, 'node:22-alpine': alpine };

const missing = missingForImages();
const without = missing.length > 0 ? `, left out: install ${missing.join(', ')}` : '';

describe.skipIf(missing.length > 0)(`the Dockerfiles${without}`, () => {
  const folder = mkdtempSync(join(tmpdir(), `${PACKAGE}-images-`));
  const context = join(folder, 'context');
  let registry: Registry;

  beforeAll(async () => {
    // Whoever runs it may read it.
    chmodSync(folder, 0o755);
    registry = await startRegistry(
      collected(join(folder, 'binaries'), [await binaryFor('x86_64-unknown-linux-musl')]),
    );
    application(context);
    // As on a developer's machine, which is of one system: the lock file has the binaries of all.
    await npm(['install', '--package-lock-only', `--userconfig=${registry.userConfig}`], context);
    expect(readFileSync(join(context, 'package-lock.json'), 'utf8')).toContain(`${PACKAGE}-linux-x64-musl`);
  }, 60 * MINUTES);

  afterAll(async () => {
    await registry?.stop();
    await closeBroker();
    // Some hundred thousand files.
    rmSync(folder, { recursive: true, force: true });
  }, 10 * MINUTES);

  describe.each([
    ['Dockerfile', 'linux-x64-gnu'],
    ['Dockerfile.alpine', 'linux-x64-musl'],
  ])('%s', (name, system) => {
    let image: Image;

    beforeAll(async () => {
      image = await buildImage({
        file: join(ROOT, 'examples/docker', name),
        context,
        folder: join(folder, name),
        base: async (from) => {
          const made = IMAGES[from as keyof typeof IMAGES];
          if (made === undefined) throw new Error(`there is no ${from} here`);
          return made();
        },
        env: { npm_config_registry: registry.url, npm_config_audit: 'false', npm_config_fund: 'false' },
      });
    }, 30 * MINUTES);

    test('npm has chosen the binary of the system of the image', () => {
      const { packages } = JSON.parse(
        readFileSync(join(image.root, image.workdir, 'node_modules/.package-lock.json'), 'utf8'),
      );
      const installed = Object.keys(packages).filter((path) => path.includes(`/${PACKAGE}-`));
      expect(installed).toEqual([`node_modules/${PACKAGE}-${system}`]);
      expect(Object.keys(packages)).not.toContain('node_modules/typescript');
    });

    test(
      'it runs as a user without rights, on a file system that is read only',
      { timeout: 5 * MINUTES },
      async () => {
        const prefix = unique('image');
        await topicsOfAll(prefix);
        expect(image.user).toBe('node');
        const env = { ...image.env, KAFKA_BROKERS: BROKERS[0]!, PREFIX: prefix };
        const restricted = { readOnly: true, timeout: 2 * MINUTES };
        await expect(runIn({ ...image, env }, ['touch', 'written'], restricted)).rejects.toThrow(
          'Read-only file system',
        );
        const { stdout, stderr } = await runIn({ ...image, env }, image.command, restricted);
        expect(stderr).toBe('');
        expect(JSON.parse(stdout)).toMatchObject({ ...expected(prefix, 'nest11'), nest: expect.any(String) });
      },
    );
  });
});

/** An application that is built by `npm run build`: the scenario of the tests of installations, in TypeScript. */
function application(folder: string): void {
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      scripts: { build: 'tsc' },
      dependencies: { ...NEST11.dependencies, [PACKAGE]: VERSION },
      devDependencies: { typescript: '~5.9.3' },
    }),
  );
  const compilerOptions = {
    rootDir: 'src',
    outDir: 'dist',
    module: 'commonjs',
    target: 'es2022',
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    // What the scenario is typed with has tests of its own.
    noCheck: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  const sources = join(ROOT, '__test__/package-consumers/applications');
  for (const name of ['main.ts', 'scenario.ts', 'topics.ts', 'observations.ts'])
    copyFileSync(join(sources, name), join(folder, 'src', name));
  cpSync(join(ROOT, 'examples/docker'), folder, { recursive: true });
}
