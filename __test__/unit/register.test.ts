import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { otherNest } from '../../lib/nest/register/other-nest.js';
import { isSwitchedOn } from '../../lib/nest/register/switch.js';

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
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  /** An application whose node_modules has empty packages, one in another's where their names are joined by >. */
  function application(...packages: string[]): { main: string; file: (path: string) => string } {
    // One for each test: Node keeps what it has resolved.
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nest-copies-')));
    folders.push(folder);
    const pathOf = (name: string): string =>
      join(folder, ...name.split('>').flatMap((part) => ['node_modules', part]));
    for (const name of packages) {
      mkdirSync(pathOf(name), { recursive: true });
      writeFileSync(join(pathOf(name), 'package.json'), '{"main":"index.js"}');
      writeFileSync(join(pathOf(name), 'index.js'), '');
    }
    return { main: join(folder, 'dist/main.js'), file: (name) => join(pathOf(name), 'index.js') };
  }

  const NEST = '@nestjs/microservices';
  const OWN = 'nestjs-kafka-native>@nestjs/microservices';

  test('nothing is said where nothing is found', () => {
    expect(otherNest(application().main)).toBeUndefined();
  });

  test('nothing is said of one', () => {
    expect(otherNest(application(NEST, 'nestjs-kafka-native').main)).toBeUndefined();
  });

  test('two are named', () => {
    const { main, file } = application(NEST, 'nestjs-kafka-native', OWN);
    expect(otherNest(main)).toEqual({ application: file(NEST), own: file(OWN) });
  });
});
