// How cargo is called, so that all its calls share what takes minutes.
//
// librdkafka and OpenSSL are compiled once per target and profile: two minutes and more. `napi build` always names
// the target, so clippy, the tests and rustdoc name it too, and all use the release profile. The crates of this
// repository alone get debug assertions and overflow checks there, and less optimisation (15 s instead of 22 until their
// tests have run). They make these, and only these, builds of their own, whose build script is not run again each time `napi build`, with
// its own environment, was called in between.

import { join } from 'node:path';
import { ROOT, run } from './process.mjs';

let triple;

/** The target triple of this machine. */
export async function hostTriple() {
  triple ??= /^host: (.+)$/m.exec((await run('rustc', ['-vV'])).stdout)?.[1];
  return triple;
}

/** The crates of this repository: what Node.js loads, what decides, and the driver. */
export const CORE = 'nestjs-kafka-native-core';
export const LIBRDKAFKA = 'nestjs-kafka-native-librdkafka';
const CRATES = ['nestjs-kafka-native', CORE, LIBRDKAFKA];

/** Options of `cargo clippy`, `cargo test` and `cargo doc`, which are to be told which crates, too. */
export async function checkedProfile() {
  const settings = ['debug-assertions=true', 'overflow-checks=true', 'opt-level=1', 'codegen-units=16'];
  const checks = CRATES.flatMap((crate) =>
    settings.flatMap((setting) => ['--config', `profile.release.package.${crate}.${setting}`]),
  );
  return ['--locked', '--release', '--target', await hostTriple(), ...checks];
}

/** Where cargo and these scripts put what they build. */
export const TARGET = join(ROOT, 'target');
