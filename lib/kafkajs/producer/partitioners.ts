import { randomInt } from 'node:crypto';
import type { ICustomPartitioner, Message } from '../types/index.js';

/** Marks a partitioner that the core implements, across copies of this package. */
const NATIVE = Symbol.for('nestjs-kafka-native.native-partitioner');

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

type Hash = (data: Uint8Array) => number;

const toPositive = (number: number): number => number & 0x7fffffff;
/** The byte at an index; 0 beyond the end. */
const byte = (data: Uint8Array, at: number): number => data[at] ?? 0;
const word = (data: Uint8Array, at: number): number =>
  byte(data, at) + (byte(data, at + 1) << 8) + (byte(data, at + 2) << 16) + (byte(data, at + 3) << 24);

/** The hash of the Java client. */
function murmur2(data: Uint8Array): number {
  const whole = data.length & ~3;
  let h = SEED ^ data.length;
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(word(data, at), M);
    k = Math.imul(k ^ (k >>> R), M);
    h = Math.imul(h, M) ^ k;
  }
  if (data.length > whole) h = Math.imul(h ^ word(data, whole), M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/**
 * The hash of kafkajs 1. It multiplies in floating point, so large products lose their lowest bits, and it hashes an incomplete last
 * word twice: both must stay as they are, or keys would move to other partitions.
 */
function legacyMurmur2(data: Uint8Array): number {
  let h = SEED ^ data.length;
  for (let at = 0; at < data.length; at += 4) {
    let k = word(data, at) * M;
    k = (k ^ (k >>> R)) * M;
    h = (h * M) ^ k;
  }
  const whole = data.length & ~3;
  if (data.length > whole) h = (h ^ word(data, whole)) * M;
  h = (h ^ (h >>> 13)) * M;
  return h ^ (h >>> 15);
}

const bytesOf = (key: NonNullable<Message['key']>): Uint8Array =>
  Buffer.isBuffer(key) ? key : Buffer.from(String(key));

/** kafkajs's rules: the message's own partition, else the key's, else the partitions with a leader in turn. */
const partitioner =
  (hash: Hash): ICustomPartitioner =>
  () => {
    const counters = new Map<string, number>();
    return ({ topic, partitionMetadata, message: { partition, key } }) => {
      if (partition !== undefined && partition !== null) return partition;
      if (key !== undefined && key !== null) return toPositive(hash(bytesOf(key))) % partitionMetadata.length;
      const turn = (counters.get(topic) ?? randomInt(2 ** 31)) + 1;
      counters.set(topic, turn);
      const available = partitionMetadata.filter(({ leader }) => leader >= 0);
      if (available.length === 0) return toPositive(turn) % partitionMetadata.length;
      return available[toPositive(turn) % available.length]?.partitionId as number;
    };
  };

const DefaultPartitioner: ICustomPartitioner = Object.defineProperty(partitioner(murmur2), NATIVE, {
  value: true,
});

/** kafkajs's partitioners. The default one is implemented by the core and does not call JavaScript. */
export const Partitioners = {
  /** Chooses the same partition for a key as the Java client. */
  DefaultPartitioner,
  /** Chooses the same partition for a key as kafkajs 1 by default. */
  LegacyPartitioner: partitioner(legacyMurmur2),
  /** kafkajs's older name of the default partitioner. */
  JavaCompatiblePartitioner: DefaultPartitioner,
} as const;

/** Whether the core implements this partitioner. */
export const isNative = (create: ICustomPartitioner): boolean => NATIVE in create;
