import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from '../../package-consumers/cache';
import { npm } from '../../package-consumers/programs';

// Package managers, each from npm's registry at a version that is pinned here.

/** What a manager does with an application. */
interface Installation {
  /** The application, which has a package.json. */
  readonly folder: string;
  /** The registry to take packages from. */
  readonly registry: string;
}

/** A package manager. */
export interface Manager {
  readonly name: string;
  install(installation: Installation): Promise<void>;
  /** What Node.js needs before a program, so that it finds the packages. */
  args(format: 'cjs' | 'esm'): string[];
}

const run = promisify(execFile);

/** The folder of a package of npm's registry, fetched once. */
async function fetched(name: string, version: string): Promise<string> {
  const folder = await cached(`${name.replaceAll('/', '-')}-${version}`, (incoming) =>
    npm(['install', '--no-save', '--no-package-lock', '--prefix', incoming, `${name}@${version}`], incoming),
  );
  return join(folder, 'node_modules', name);
}

/** As on a machine that has never installed anything: what a manager keeps is kept beside the application. */
function environment({ folder, registry }: Installation): NodeJS.ProcessEnv {
  const home = join(folder, '.home');
  return {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_CACHE_HOME: home,
    XDG_DATA_HOME: home,
    npm_config_registry: registry,
    NO_UPDATE_NOTIFIER: '1',
  };
}

async function command(installation: Installation, program: string, args: string[]): Promise<void> {
  await run(program, args, {
    cwd: installation.folder,
    env: environment(installation),
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${program} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`, { cause: error });
  });
}

const PLAIN = (): string[] => [];

const berry = (nodeLinker: 'node-modules' | 'pnp'): Manager => ({
  name: `yarn 4, ${nodeLinker}`,
  args: (format) =>
    nodeLinker === 'pnp'
      ? ['--require', './.pnp.cjs', ...(format === 'esm' ? ['--loader', './.pnp.loader.mjs'] : [])]
      : [],
  install: async (installation) => {
    const { folder, registry } = installation;
    const settings = [
      `nodeLinker: ${nodeLinker}`,
      `npmRegistryServer: '${registry}'`,
      `unsafeHttpWhitelist: ['127.0.0.1']`,
      'enableTelemetry: false',
      'npmMinimalAgeGate: 0',
    ];
    writeFileSync(join(folder, '.yarnrc.yml'), `${settings.join('\n')}\n`);
    // Where a lock file is, an application begins.
    writeFileSync(join(folder, 'yarn.lock'), '');
    const yarn = join(await fetched('@yarnpkg/cli-dist', '4.18.1'), 'bin/yarn.js');
    await command(installation, process.execPath, [yarn, 'install', '--no-immutable']);
  },
});

/** Those that the guide names. */
export const MANAGERS: Manager[] = [
  {
    name: 'npm',
    args: PLAIN,
    install: (installation) => command(installation, 'npm', ['install', '--no-audit', '--no-fund']),
  },
  {
    name: 'pnpm 10',
    args: PLAIN,
    install: async (installation) => {
      const pnpm = join(await fetched('pnpm', '10.34.8'), 'bin/pnpm.cjs');
      const store = join(installation.folder, '.home/store');
      await command(installation, process.execPath, [
        pnpm,
        'install',
        '--no-frozen-lockfile',
        '--store-dir',
        store,
      ]);
    },
  },
  {
    name: 'yarn 1',
    args: PLAIN,
    install: async (installation) => {
      const yarn = join(await fetched('yarn', '1.22.22'), 'bin/yarn.js');
      await command(installation, process.execPath, [yarn, 'install', '--non-interactive']);
    },
  },
  berry('node-modules'),
  berry('pnp'),
  {
    name: 'bun',
    args: PLAIN,
    install: async (installation) => {
      await command(installation, await bun(), ['install']);
    },
  },
];

/** Bun's executable: for processors of any age. */
async function bun(): Promise<string> {
  const system = `${process.platform}-${process.arch === 'arm64' ? 'aarch64' : 'x64-baseline'}`;
  return join(await fetched(`@oven/bun-${system}`, '1.4.4'), 'bin/bun');
}
