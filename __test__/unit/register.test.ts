import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { otherNest } from '../../lib/register/other-nest.js';
import { isSwitchedOn } from '../../lib/register/switch.js';

describe('NESTJS_KAFKA_NATIVE', () => {
  test.each(['', 'on', '1', 'true', ' ON '])('%o is on', (value) => {
    expect(isSwitchedOn(value)).toBe(true);
  });

  test.each(['off', '0', 'false', 'Off'])('%o is off', (value) => {
    expect(isSwitchedOn(value)).toBe(false);
  });

  test.each(['no', 'kafkajs', '2', 'constructor'])(
    '%o is refused, with the values that there are',
    (value) => {
      expect(() => isSwitchedOn(value)).toThrow(`NESTJS_KAFKA_NATIVE is "${value}": use on`);
    },
  );
});

describe('copies of NestJS', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nest-copies-')));
  const main = join(folder, 'dist/main.js');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Puts an empty package into a node_modules of the application; returns its file. */
  function put(...names: string[]): string {
    const path = join(folder, ...names.flatMap((name) => ['node_modules', name]));
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'package.json'), '{"main":"index.js"}');
    writeFileSync(join(path, 'index.js'), '');
    return join(path, 'index.js');
  }

  test('nothing is said where nothing is found', () => {
    expect(otherNest(main)).toBeUndefined();
  });

  test('one copy, then a second one', () => {
    const application = put('@nestjs/microservices');
    put('nestjs-kafka-native');
    expect(otherNest(main)).toBeUndefined();
    const own = put('nestjs-kafka-native', '@nestjs/microservices');
    expect(otherNest(main)).toEqual({ application, own });
  });
});
