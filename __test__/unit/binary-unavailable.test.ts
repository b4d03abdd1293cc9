import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

interface System {
  platform: string;
  arch: string;
  glibc?: string;
}

const { unavailable, SYSTEMS } = createRequire(import.meta.url)('../../binding/unavailable.js') as {
  unavailable(
    cause: Error,
    system: System,
    isInstalled: (name: string) => boolean,
    isBundled?: boolean,
  ): Error & { code: string };
  SYSTEMS: string[];
};

const DEBIAN: System = { platform: 'linux', arch: 'x64', glibc: '2.36' };

/** What the generated loader throws: its own guess, over the texts of each attempt. */
function loaderError(...attempts: string[]): Error {
  let cause: Error | undefined;
  for (const attempt of attempts) cause = new Error(attempt, { cause });
  return new Error('Cannot find native binding. npm has a bug', { cause });
}

const notFound = (name: string): string => `Cannot find module '${name}'`;

function messageOf(cause: Error, system: System, installed: string[] = []): string {
  return unavailable(cause, system, (name) => installed.includes(name)).message;
}

describe('a binary that does not load', () => {
  const missing = loaderError(notFound('./here.node'), notFound('nestjs-kafka-native-linux-x64-gnu'));

  test('has a code and keeps the cause', () => {
    const error = unavailable(missing, DEBIAN, () => false);
    expect(error).toMatchObject({ code: 'ERR_KAFKA_BINARY_UNAVAILABLE', cause: missing });
  });

  test.each<[System, string]>([
    [{ platform: 'freebsd', arch: 'x64' }, 'there is no binary for freebsd x64, only for linux-x64-gnu'],
    [
      { platform: 'linux', arch: 's390x', glibc: '2.36' },
      'there is no binary for linux s390x with glibc 2.36',
    ],
    [{ platform: 'linux', arch: 'ppc64' }, 'there is no binary for linux ppc64 with musl'],
    [{ platform: 'win32', arch: 'arm64' }, 'there is no binary for win32 arm64'],
  ])('on a system that has none: %o', (system, text) => {
    expect(messageOf(missing, system)).toContain(text);
  });

  test('because the package is part of a bundle', () => {
    const cause = new Error('Dynamic require of "fs" is not supported');
    const { message } = unavailable(cause, DEBIAN, () => false, true);
    expect(message).toContain('the package is part of a bundle');
    expect(message).toContain('esbuild --external:nestjs-kafka-native');
    expect(message).toContain(cause.message);
  });

  test('because its package was left out', () => {
    const message = messageOf(missing, DEBIAN);
    expect(message).toContain('nestjs-kafka-native-linux-x64-gnu, is not installed');
    expect(message).toContain('--omit=optional');
  });

  test('because node_modules is of another system', () => {
    const message = messageOf(missing, { platform: 'linux', arch: 'arm64' }, [
      'nestjs-kafka-native-darwin-arm64',
    ]);
    expect(message).toContain(
      'linux arm64 with musl, nestjs-kafka-native-linux-arm64-musl, is not installed',
    );
    expect(message).toContain('node_modules holds the binary for darwin-arm64');
  });

  test('because glibc is too old', () => {
    const dlopen = "/lib64/libc.so.6: version `GLIBC_2.28' not found (required by /app/a.node)";
    const message = messageOf(loaderError(notFound('./here.node'), dlopen), { ...DEBIAN, glibc: '2.17' });
    expect(message).toContain(
      'the glibc of this system (2.17) is too old for the binary, which needs GLIBC_2.28',
    );
    expect(message).toContain('Use a newer system or base image');
  });

  test('for another reason of the system', () => {
    const dlopen = 'libgcc_s.so.1: cannot open shared object file';
    expect(messageOf(loaderError(dlopen, notFound('other')), DEBIAN)).toContain(
      'is installed but does not load: libgcc_s.so.1: cannot open',
    );
  });

  test('because its package is there without it', () => {
    expect(messageOf(missing, DEBIAN, ['nestjs-kafka-native-linux-x64-gnu'])).toContain('Install it again');
  });
});

/** As napi names the system of a target of Rust's. */
function systemOf(target: string): string {
  const [arch, , os, abi] = target.split('-') as [string, string, string, string?];
  const name = { linux: 'linux', darwin: 'darwin', windows: 'win32' }[os];
  return [name, arch === 'x86_64' ? 'x64' : 'arm64', ...(abi ? [abi] : [])].join('-');
}

test('the systems are those that packages are made for', () => {
  const manifest = readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8');
  const { targets } = JSON.parse(manifest).napi as { targets: string[] };
  expect(SYSTEMS.toSorted()).toEqual(targets.map(systemOf).toSorted());
});
