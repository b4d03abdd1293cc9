import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROKERS, closeBroker, unique } from '../../harness/broker';
import { expected } from '../../package-consumers/expected';
import { compileApplications, registry, ROOT, stopRegistry } from '../../package-consumers/install';
import { NODE_VERSIONS, nodeOf } from '../../package-consumers/node-versions';
import { OF_ITSELF, run, topicsOfAll } from '../../package-consumers/run';
import { MANAGERS, type Manager } from './managers';

// What a stranger does: installs the packages from a registry, with the package manager of their choice and nothing that was there before,
// and runs an application that talks to a broker. docs/installation.md lists what comes of it.

const INSTALL_TIMEOUT = 15 * 60_000;
const HERE = import.meta.dirname;
const FORMATS = ['cjs', 'esm'] as const;
const { name: PACKAGE, version: VERSION } = manifest(ROOT);
const NEST11 = manifest(join(ROOT, '__test__/package-consumers/nest11'));

const folders: string[] = [];

afterAll(closeBroker);
afterAll(stopRegistry);
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function manifest(folder: string): any {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

/** Not below this checkout: Node.js would find its node_modules. */
function newFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${PACKAGE}-${name.replaceAll(/\W+/g, '-')}-`));
  // Whoever else runs it may read it.
  chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

/** An application of its own, installed. */
async function application(manager: Manager): Promise<string> {
  const folder = newFolder(manager.name);
  // Its dependencies, as an application declares them that checks types strictly and is found out by PnP: what it imports.
  const dependencies = { ...NEST11.dependencies, [PACKAGE]: VERSION };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const { url } = await registry();
  await manager.install({ folder, registry: url });
  compileApplications(folder);
  return folder;
}

/** The scenario, run by a process of its own. */
async function runs(command: {
  args: string[];
  cwd: string;
  node?: string;
  env?: NodeJS.ProcessEnv;
}): Promise<void> {
  const prefix = unique('installed');
  await topicsOfAll(prefix);
  const { args, ...options } = command;
  const { ended, facts } = await run(args, { prefix, ...options });
  expect(ended).toEqual(OF_ITSELF);
  const isCjs = args.some((arg) => arg.startsWith('cjs/'));
  expect(facts).toEqual({
    ...expected(prefix, 'nest11'),
    nest: expect.stringMatching(/^11\./),
    build: { cjs: isCjs },
  });
}

describe.each(MANAGERS)('$name', (manager) => {
  let cwd: string;

  beforeAll(async () => {
    cwd = await application(manager);
  }, INSTALL_TIMEOUT);

  test.each(NODE_VERSIONS.flatMap((major) => FORMATS.map((format) => ({ major, format }))))(
    'Node.js $major, $format',
    { timeout: INSTALL_TIMEOUT },
    async ({ major, format }) => {
      const args = [...manager.args(format), `${format}/main.js`];
      await runs({ args, cwd, node: await nodeOf(major) });
    },
  );
});

describe('where it runs', () => {
  let cwd: string;

  beforeAll(async () => {
    cwd = await application(MANAGERS[0]!);
    copyFileSync(join(HERE, 'node-test.cjs'), join(cwd, 'heroes.test.cjs'));
    copyFileSync(join(HERE, 'node-test.cjs'), join(cwd, 'dragons.test.cjs'));
  }, INSTALL_TIMEOUT);

  test(
    'the runner of Node.js: two files, each in a process of its own',
    { timeout: INSTALL_TIMEOUT },
    async () => {
      for (const major of NODE_VERSIONS) {
        const files = ['heroes.test.cjs', 'dragons.test.cjs'];
        const { stdout } = await promisify(execFile)(
          await nodeOf(major),
          ['--test', '--test-reporter=tap', ...files],
          { cwd },
        );
        expect(stdout).toMatch(/^# pass 2$/m);
        expect(stdout).toMatch(/^# fail 0$/m);
      }
    },
  );

  // Only root may mount, and become somebody else.
  test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
    'a read-only file system, and a user without rights',
    { timeout: INSTALL_TIMEOUT },
    async () => {
      const prefix = unique('restricted');
      await topicsOfAll(prefix);
      const node = await nodeOf(Number(process.versions.node.split('.')[0]));
      // In a mount namespace of its own everything is read only, /tmp too; then the user is nobody.
      const restricted = [
        'mount --bind / /',
        'mount -o remount,bind,ro /',
        `cd ${cwd}`,
        '! touch written 2> /dev/null',
        'exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --inh-caps=-all env "$@"',
      ].join(' && ');
      const env = [
        `PATH=/usr/bin:/bin`,
        `KAFKA_BROKERS=${BROKERS[0]}`,
        `PREFIX=${prefix}`,
        'HOME=/nonexistent',
      ];
      const shell = ['--mount', 'sh', '-ec', restricted, 'sh', ...env, node, 'cjs/main.js'];
      const { stdout, stderr } = await promisify(execFile)('unshare', shell);
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toMatchObject({ ...expected(prefix, 'nest11'), nest: expect.any(String) });
    },
  );
});

// As Nx lays workspaces out: applications and libraries in folders of one repository, and a library that has the package.
const LIBRARY = `
const kafka = require('${PACKAGE}');
exports.kafka = kafka;
exports.options = (prefix) => ({ client: { brokers: [process.env.KAFKA_BROKERS] }, consumer: { groupId: prefix } });
`;
const APP = `
const { kafka } = require('@shop/messaging');
const own = require('${PACKAGE}');
if (kafka.ServerKafka !== own.ServerKafka) throw new Error('the library has another copy');
require('./cjs/main.js');
`;

// PnP gives each workspace a copy of its own of a package that has peers: docs/installation.md says so.
describe.each(MANAGERS.filter(({ name }) => !name.startsWith('yarn 4')))('a monorepo, $name', (manager) => {
  test(
    'an application and a library of workspaces share the package',
    { timeout: INSTALL_TIMEOUT },
    async () => {
      const root = newFolder('monorepo');
      const write = (path: string, content: string | object): void => {
        mkdirSync(join(root, path, '..'), { recursive: true });
        writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
      };
      const isNpm = ['npm', 'yarn 1'].includes(manager.name);
      const library = { name: '@shop/messaging', version: '1.0.0', main: 'index.js' };
      write('package.json', {
        name: 'shop',
        version: '1.0.0',
        private: true,
        workspaces: ['apps/*', 'libs/*'],
      });
      write('pnpm-workspace.yaml', 'packages: [apps/*, libs/*]\n');
      const peers = NEST11.dependencies;
      write('libs/messaging/package.json', { ...library, dependencies: { ...peers, [PACKAGE]: VERSION } });
      write('libs/messaging/index.js', LIBRARY);
      write('apps/orders/package.json', {
        name: '@shop/orders',
        version: '1.0.0',
        dependencies: { ...peers, [PACKAGE]: VERSION, '@shop/messaging': isNpm ? '1.0.0' : 'workspace:*' },
      });
      write('apps/orders/main.js', APP);
      const { url } = await registry();
      await manager.install({ folder: root, registry: url });
      const cwd = join(root, 'apps/orders');
      compileApplications(cwd);
      const prefix = unique('monorepo');
      await topicsOfAll(prefix);
      const { ended, facts } = await run(['main.js'], { cwd, prefix });
      expect(ended).toEqual(OF_ITSELF);
      expect(facts).toMatchObject({ ...expected(prefix, 'nest11'), nest: expect.stringMatching(/^11\./) });
    },
  );
});
