import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import * as ours from 'nestjs-kafka-native';
import * as kafkaAlone from 'nestjs-kafka-native/kafka';
import { CompressionCodecs } from '../../lib/kafkajs/producer/compression-codecs.js';

/** kafkajs throws these only inside itself, and its types do not know them. */
const INTERNAL = new Set([
  'KafkaJSFetcherRebalanceError',
  'KafkaJSInvalidVarIntError',
  'KafkaJSInvalidLongError',
]);
const own = () => ({}) as never;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIST = join(ROOT, 'dist');

/** What the built file and those that it loads of this package load from elsewhere. */
function modulesOf(file: string, seen: Set<string>, loaded = new Set<string>()): Set<string> {
  if (seen.has(file)) return loaded;
  seen.add(file);
  const source = readFileSync(file, 'utf8');
  for (const [, name = ''] of source.matchAll(/(?:\bfrom |\brequire\(|^import )['"]([^'"]+)['"]/gm)) {
    const path = name.startsWith('.') ? resolve(dirname(file), name) : undefined;
    if (path?.startsWith(DIST)) modulesOf(path, seen, loaded);
    else loaded.add(path === undefined ? name : relative(ROOT, path));
  }
  return loaded;
}

describe('the package', () => {
  it('exports what kafkajs exports', () => {
    const wanted = Object.keys(kafkajs).filter((name) => !INTERNAL.has(name));
    expect(wanted.length).toBeGreaterThan(35);
    expect(wanted.filter((name) => !(name in ours))).toEqual([]);
  });

  it('has kafkajs’s numbers', () => {
    expect(ours.CompressionTypes).toEqual(kafkajs.CompressionTypes);
    expect(ours.logLevel).toEqual(kafkajs.logLevel);
    expect(Object.keys(ours.Partitioners).toSorted()).toEqual(Object.keys(kafkajs.Partitioners).toSorted());
  });
});

describe.each(['esm', 'cjs'])('the files of the main entry (%s)', (format) => {
  it('are kept in memory with a byte for each character', () => {
    const files = new Set<string>();
    modulesOf(join(DIST, format, 'index.js'), files);
    expect(files.size).toBeGreaterThan(5);
    const wide = [...files].filter((file) => /[^\0-\u00ff]/.test(readFileSync(file, 'utf8')));
    expect(wide).toEqual([]);
  });
});

describe('the entry without NestJS', () => {
  it('exports what kafkajs exports, the same objects as the main entry', () => {
    const wanted = Object.keys(kafkajs).filter((name) => !INTERNAL.has(name));
    expect(wanted.filter((name) => !(name in kafkaAlone))).toEqual([]);
    const main = new Map<string, unknown>(Object.entries(ours));
    for (const [name, value] of Object.entries(kafkaAlone)) expect(main.get(name)).toBe(value);
  });

  it.each(['esm', 'cjs'])('loads nothing but Node.js’s modules and the binding (%s)', (format) => {
    const seen = new Set<string>();
    const loaded = modulesOf(join(DIST, format, 'kafka.js'), seen);
    expect(seen.size).toBeGreaterThan(5);
    const others = [...loaded].filter((name) => !name.startsWith('node:'));
    expect(others).toEqual([join('binding', 'index.js')]);
  });
});

describe('CompressionCodecs', () => {
  it('has kafkajs’s keys, and takes a codec as kafkajs does', async () => {
    expect(Object.keys(CompressionCodecs)).toEqual(Object.keys(kafkajs.CompressionCodecs));
    const codec = CompressionCodecs[1]?.();
    const compressed = await codec?.compress({ buffer: Buffer.from('text') });
    expect(String(await codec?.decompress(compressed as Buffer))).toBe('text');
    expect(() => CompressionCodecs[2]?.()).toThrow('CompressionTypes.Snappy');
    const before = CompressionCodecs[2];
    CompressionCodecs[2] = own;
    expect(CompressionCodecs[2]).toBe(own);
    CompressionCodecs[2] = before as never;
  });
});

describe.each(['esm', 'cjs'])('the integrations (%s)', (format) => {
  const OPTIONAL =
    /^(@opentelemetry\/|prom-client|@nestjs\/terminus|dd-trace|@confluentinc\/|@kafkajs\/|aws-|ioredis|redis|pg)/;

  it.each(['index', 'kafka', 'register', 'testing', 'schema-registry', 'msk-iam', 'redis', 'postgres'])(
    '%s loads no optional peer',
    (entry) => {
      const files = new Set<string>();
      const loaded = modulesOf(join(DIST, format, `${entry}.js`), files);
      expect(files.size).toBeGreaterThan(1);
      expect([...loaded].filter((name) => OPTIONAL.test(name))).toEqual([]);
    },
  );

  it('each loads its own peer and no other', () => {
    const peers = ['opentelemetry', 'prometheus', 'terminus'].map((entry) =>
      [...modulesOf(join(DIST, format, `${entry}.js`), new Set())].filter((name) => OPTIONAL.test(name)),
    );
    expect(peers).toEqual([['@opentelemetry/api'], ['prom-client'], ['@nestjs/terminus']]);
  });
});
