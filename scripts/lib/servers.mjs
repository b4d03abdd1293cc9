// Servers of the system that some tests start for themselves, where they are installed.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run, say } from './process.mjs';

/** Where Debian and its descendants keep each version of PostgreSQL. */
const POSTGRESQL = '/usr/lib/postgresql';

/** Redis's program; undefined where it is not installed. */
export function redisServer() {
  return spawnSync('redis-server', ['--version']).status === 0 ? 'redis-server' : undefined;
}

/** The folder of PostgreSQL's programs; undefined where it is not installed. */
export function postgresBinaries() {
  const versions = existsSync(POSTGRESQL) ? readdirSync(POSTGRESQL).toSorted().toReversed() : [];
  return versions
    .map((version) => join(POSTGRESQL, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')));
}

const SERVERS = [
  { find: redisServer, packages: 'redis-server', tests: 'the store of @Idempotent over Redis' },
  { find: postgresBinaries, packages: 'postgresql', tests: 'the store of @Idempotent over PostgreSQL' },
];

/** Installs what is missing where a machine is there for the tests alone; elsewhere says which tests are left out. */
export async function installServers() {
  const missing = SERVERS.filter(({ find }) => find() === undefined);
  if (missing.length === 0) return;
  if (process.env.CI && process.platform === 'linux') {
    const names = missing.map(({ packages }) => packages).join(' ');
    const install = `apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${names}`;
    say(`apt-get install ${names} …`);
    const command = process.getuid() === 0 ? ['sh', '-c', install] : ['sudo', '-n', 'sh', '-c', install];
    const { code, output } = await run(command[0], command.slice(1));
    if (code !== 0) say(`${install} failed:\n${output}`);
  }
  for (const { find, packages, tests } of missing) {
    if (find() === undefined) say(`left out: ${tests} (install ${packages})`);
  }
}
