// How cargo is called, so that all its calls share what takes minutes.
//
// librdkafka and OpenSSL are compiled once per target and profile: two minutes and more. `napi build` always names
// the target, so clippy, the tests and rustdoc name it too, and all use the release profile. This crate alone gets
// debug assertions and overflow checks there: they make it, and only it, a build of its own, whose build script is
// not run again each time `napi build`, with its own environment, was called in between.

import { join } from 'node:path';
import { ROOT, run } from './process.mjs';

let triple;

/** The target triple of this machine. */
export async function hostTriple() {
  triple ??= /^host: (.+)$/m.exec((await run('rustc', ['-vV'])).stdout)?.[1];
  return triple;
}

/** Options of `cargo clippy`, `cargo test` and `cargo doc`. */
export async function checkedProfile() {
  const checks = ['debug-assertions', 'overflow-checks'].flatMap((name) => [
    '--config',
    `profile.release.package.nestjs-kafka-native.${name}=true`,
  ]);
  return ['--locked', '--release', '--target', await hostTriple(), ...checks];
}

/** Where cargo and these scripts put what they build. */
export const TARGET = join(ROOT, 'target');
