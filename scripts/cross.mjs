// Builds the binding for another kind of Linux on this one, x64 with glibc, to look at it without a machine of its own. What is published
// is built by the release workflow, each on its own kind of machine.
//
//   node scripts/cross.mjs aarch64-unknown-linux-gnu
//   node scripts/cross.mjs x86_64-unknown-linux-musl
//
// It compiles everything, OpenSSL and librdkafka too, into target/cross: minutes the first time. The module lies in
// target/cross/binaries, where `npm run packages -- --binaries` takes it.

import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TARGET } from './lib/cargo.mjs';
import { Failure, main, run, say, since } from './lib/process.mjs';
import { checkTools, prepare } from './lib/setup.mjs';

const FOLDER = join(TARGET, 'cross');

/** Where Debian keeps the headers of Linux. */
const LINUX_HEADERS = { linux: 'linux', 'asm-generic': 'asm-generic', asm: 'x86_64-linux-gnu/asm' };

/** What builds for a system: the compilers, what Debian calls them, and what the package of the system is called. */
const SYSTEMS = {
  'aarch64-unknown-linux-gnu': {
    system: 'linux-arm64-gnu',
    packages: 'gcc-aarch64-linux-gnu g++-aarch64-linux-gnu',
    cc: 'aarch64-linux-gnu-gcc',
    environment: () => ({
      CXX: 'aarch64-linux-gnu-g++',
      AR: 'aarch64-linux-gnu-ar',
      RANLIB: 'aarch64-linux-gnu-ranlib',
    }),
  },
  'x86_64-unknown-linux-musl': {
    system: 'linux-x64-musl',
    packages: 'musl-tools linux-libc-dev',
    cc: 'musl-gcc',
    linker: muslLinker,
    environment: () => ({
      // What librdkafka has for C++ is compiled with it, and not linked: this system's own does.
      CXX: 'c++',
      CFLAGS: `-isystem ${linuxHeaders()}`,
      // A module that is loaded cannot bring a C library of its own.
      RUSTFLAGS: '-Ctarget-feature=-crt-static',
    }),
  },
};

/** A folder with the headers of Linux alone: beside those of musl, those of glibc would be found. */
function linuxHeaders() {
  const folder = join(FOLDER, 'linux-headers');
  mkdirSync(folder, { recursive: true });
  for (const [name, from] of Object.entries(LINUX_HEADERS)) {
    rmSync(join(folder, name), { force: true });
    symlinkSync(join('/usr/include', from), join(folder, name));
  }
  return folder;
}

/** musl-gcc with what it does not find: libgcc's library, of which nothing but the name gets into the module. */
function muslLinker() {
  const libraries = join(FOLDER, 'libgcc');
  mkdirSync(libraries, { recursive: true });
  const library = join(libraries, 'libgcc_s.so.1');
  rmSync(library, { force: true });
  symlinkSync('/lib/x86_64-linux-gnu/libgcc_s.so.1', library);
  const program = join(libraries, 'musl-linker');
  writeFileSync(program, `#!/bin/sh\nexec musl-gcc "$@" -L${libraries}\n`, { mode: 0o755 });
  return program;
}

await main(import.meta.url, async ([triple]) => {
  if (!Object.hasOwn(SYSTEMS, triple ?? ''))
    throw new Failure(`node scripts/cross.mjs ${Object.keys(SYSTEMS).join('|')}`);
  const { system, packages, cc, linker = () => cc, environment } = SYSTEMS[triple];
  await checkTools();
  if ((await run(cc, ['--version'])).code !== 0)
    throw new Failure(`there is no ${cc}. Debian, Ubuntu: apt-get install ${packages}`);
  const { stdout: sysroot } = await run('rustc', ['--print', 'sysroot']);
  if (!existsSync(join(sysroot.trim(), 'lib/rustlib', triple)))
    throw new Failure(`Rust cannot compile for ${triple}: rustup target add ${triple}`);
  await prepare();
  const start = performance.now();
  const linkerVariable = `CARGO_TARGET_${triple.toUpperCase().replaceAll('-', '_')}_LINKER`;
  const env = {
    CARGO_TARGET_DIR: join(FOLDER, 'build'),
    CC: cc,
    [linkerVariable]: linker(),
    // Build scripts run here.
    HOST_CC: 'cc',
    HOST_CXX: 'c++',
    HOST_AR: 'ar',
    ...environment(),
  };
  const args = ['build', '--lib', '--locked', '--release', '--target', triple];
  const { code, output } = await run('cargo', args, { env, heartbeat: system });
  if (code !== 0) throw new Failure(`the build for ${system} failed:\n${output}`);
  const module = join(FOLDER, 'binaries', `nestjs-kafka-native.${system}.node`);
  mkdirSync(dirname(module), { recursive: true });
  copyFileSync(join(env.CARGO_TARGET_DIR, triple, 'release/libnestjs_kafka_native.so'), module);
  say(`${module} (${since(start)})`);
});
