// Runs native code under a sanitizer: the Rust tests, with librdkafka's mock cluster, and the addon in Node.js.
// `npm run test:long` calls it; docs/internal/memory-safety.md says what each covers.
//
//   node scripts/sanitize.mjs address     out of bounds, freed twice or used after it, leaks
//   node scripts/sanitize.mjs thread      data races
//
// Arguments after that are names of Rust tests: only these run then.
// All C and all Rust is compiled again, into target/<sanitizer>: ten minutes the first time.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hostTriple, TARGET } from './lib/cargo.mjs';
import { Failure, main, ROOT, run, say, since } from './lib/process.mjs';
import { checkTools, prepare } from './lib/setup.mjs';
import { addonTests, compilersLibrary } from './sanitize/addon.mjs';

const SANITIZE = join(ROOT, 'scripts/sanitize');

/**
 * What differs between the sanitizers: `options` of their run time, the first error of which ends the test where that is
 * possible; what `compiling` needs; and what `inNode` preloads for the addon.
 */
const SANITIZERS = {
  address: {
    /** Ten times the usual number of random cases, for code that reads bytes from outside. */
    cases: '2560',
    options: {
      ASAN_OPTIONS: 'abort_on_error=0:halt_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1',
      LSAN_OPTIONS: `suppressions=${join(SANITIZE, 'leaks.txt')}:print_suppressions=0`,
    },
    async compiling() {
      return {
        // One run time for both compilers, that of the C compiler: Node.js can preload it.
        rust: [
          '-Zexternal-clangrt',
          // Loaded before all other libraries, so that it sees them being loaded.
          '-Zpre-link-arg=-Wl,--no-as-needed',
          '-Zpre-link-arg=-lasan',
        ],
        c: [],
        cargo: [],
      };
    },
    async inNode({ ASAN_OPTIONS }) {
      return {
        libraries: [await compilersLibrary('libasan.so')],
        // Without leak detection, because Node.js itself frees much only at its end.
        options: { ASAN_OPTIONS: `${ASAN_OPTIONS}:detect_leaks=0` },
      };
    },
  },
  thread: {
    /** What reads bytes has no threads. */
    cases: '64',
    options: {
      TSAN_OPTIONS: `halt_on_error=0:exitcode=66:second_deadlock_stack=1:history_size=4:suppressions=${join(SANITIZE, 'races.txt')}`,
    },
    async compiling() {
      const library = join(await sysroot(), 'lib/rustlib/src/rust/library/Cargo.lock');
      if (!existsSync(library)) {
        throw new Failure(
          "ThreadSanitizer has to see the locks of Rust's standard library, whose sources are not here: rustup component add rust-src",
        );
      }
      return {
        rust: [],
        // It sees POSIX's locks and threads, and not C11's, which librdkafka prefers.
        c: [`-I${join(SANITIZE, 'without-c11-threads')}`],
        cargo: ['-Zbuild-std'],
      };
    },
    async inNode({ CARGO_TARGET_DIR, TSAN_OPTIONS }) {
      const folder = join(CARGO_TARGET_DIR, 'reports');
      return {
        // Not the run time that comes with Rust, which is for programs alone.
        libraries: [await compilersLibrary('libtsan.so'), await memoryFunctions(CARGO_TARGET_DIR)],
        options: { TSAN_OPTIONS },
        // Into files: tests read what programs print, and do not see how those end that they kill.
        reports: { folder, options: { TSAN_OPTIONS: `${TSAN_OPTIONS}:log_path=${join(folder, 'report')}` } },
      };
    },
  },
};

async function sysroot() {
  return (await run('rustc', ['--print', 'sysroot'])).stdout.trim();
}

/** Compiles what GCC's run time of ThreadSanitizer lacks. */
async function memoryFunctions(folder) {
  const library = join(folder, 'memory-functions.so');
  const source = join(SANITIZE, 'memory-functions.c');
  const args = ['-O2', '-fno-builtin', '-fPIC', '-shared', '-o', library, source];
  const { code, output } = await run('cc', args);
  if (code !== 0) throw new Failure(`${source} cannot be compiled:\n${output}`);
  return library;
}

/** The environment for compiling. */
async function environment(sanitizer, { rust, c }) {
  const flags = [`-fsanitize=${sanitizer}`, '-fno-omit-frame-pointer', '-g', '-O1', ...c].join(' ');
  return {
    // Allows unstable options with the stable compiler.
    RUSTC_BOOTSTRAP: '1',
    RUSTFLAGS: [
      `-Zsanitizer=${sanitizer}`,
      '-Cunsafe-allow-abi-mismatch=sanitizer',
      '-Cforce-frame-pointers=yes',
      ...rust,
    ].join(' '),
    CFLAGS: flags,
    CXXFLAGS: flags,
    LDFLAGS: `-fsanitize=${sanitizer}`,
    CARGO_TARGET_DIR: join(TARGET, sanitizer),
    CARGO_PROFILE_RELEASE_LTO: 'off',
    CARGO_PROFILE_RELEASE_STRIP: 'none',
    CARGO_PROFILE_RELEASE_DEBUG: 'line-tables-only',
    CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
    PROPTEST_CASES: process.env.PROPTEST_CASES ?? SANITIZERS[sanitizer].cases,
    ...SANITIZERS[sanitizer].options,
  };
}

async function rustTests(env, { cargo }, filters) {
  const start = performance.now();
  // One test at a time, because two at once are so slow that they run into time-outs.
  const args = [
    'test',
    '--workspace',
    '--tests',
    '--no-fail-fast',
    '--locked',
    '--release',
    '--target',
    await hostTriple(),
    ...cargo,
  ];
  const { code, output } = await run('cargo', [...args, '--', '--test-threads=1', ...filters], {
    env,
    heartbeat: 'Rust tests',
  });
  if (code !== 0) throw new Failure(`the Rust tests fail under the sanitizer:\n${output}`);
  // Cargo tells of each crate by itself.
  const passed = [...output.matchAll(/(\d+) passed/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  say(`✓ Rust tests: ${passed} passed (${since(start)})`);
}

await main(import.meta.url, async ([sanitizer, ...filters]) => {
  if (!Object.hasOwn(SANITIZERS, sanitizer ?? ''))
    throw new Failure('node scripts/sanitize.mjs address|thread');
  if (process.platform !== 'linux') throw new Failure('the sanitizers run on Linux');
  await checkTools();
  await prepare();
  const compiling = await SANITIZERS[sanitizer].compiling();
  const env = await environment(sanitizer, compiling);
  await rustTests(env, compiling, filters);
  if (filters.length > 0) return;
  await addonTests(env, compiling.cargo, await SANITIZERS[sanitizer].inNode(env));
});
