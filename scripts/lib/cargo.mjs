// How cargo is called, so that all calls share the builds that take minutes.
//
// librdkafka and OpenSSL are compiled once per target and profile: two minutes and more. `napi build` always names
// the target, so clippy, the tests and rustdoc name it too, and all use the release profile. Only the crates of this
// repository get debug assertions, overflow checks and less optimisation there (15 s instead of 22 until their tests
// have run). So only these have builds separate from those of `napi build`, whose different environment would
// otherwise make their build script run again each time.

import { join } from 'node:path';
import { ROOT, run } from './process.mjs';

let triple;

/** The target triple of this machine. */
export async function hostTriple() {
  triple ??= /^host: (.+)$/m.exec((await run('rustc', ['-vV'])).stdout)?.[1];
  return triple;
}

/** The crates of this repository: the binding, the core, and the one over librdkafka. */
export const CORE = 'nestjs-kafka-native-core';
export const LIBRDKAFKA = 'nestjs-kafka-native-librdkafka';
const CRATES = ['nestjs-kafka-native', CORE, LIBRDKAFKA];

/** Options of `cargo clippy`, `cargo test` and `cargo doc`, to which the crates have to be added. */
export async function checkedProfile() {
  const settings = ['debug-assertions=true', 'overflow-checks=true', 'opt-level=1', 'codegen-units=16'];
  const checks = CRATES.flatMap((crate) =>
    settings.flatMap((setting) => ['--config', `profile.release.package.${crate}.${setting}`]),
  );
  return ['--locked', '--release', '--target', await hostTriple(), ...checks];
}

/** Where cargo and these scripts put what they build. */
export const TARGET = join(ROOT, 'target');
