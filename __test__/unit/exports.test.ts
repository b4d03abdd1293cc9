import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import * as ours from 'nestjs-kafka-native';
import { CompressionCodecs } from '../../lib/kafkajs/compression-codecs.js';

/** kafkajs throws these only inside itself, and its types do not know them. */
const INTERNAL = new Set([
  'KafkaJSFetcherRebalanceError',
  'KafkaJSInvalidVarIntError',
  'KafkaJSInvalidLongError',
]);
const own = () => ({}) as never;

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
