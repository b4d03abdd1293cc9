// Anything, as an argument.
import { below, pick, seed } from './random.mjs';

export const TOPIC = `fuzz-${seed}`;

/** Throws from every trap, or from one. */
const bad = () => {
  throw new Error('a trap throws');
};
export function hostile() {
  return new Proxy(
    below(2) ? {} : () => 1,
    pick([{ get: bad }, { ownKeys: bad }, { has: bad }, { get: bad, ownKeys: bad, has: bad }]),
  );
}
export const circular = () => {
  const o = { n: 1 };
  o.self = o;
  return o;
};
const SCALARS = [
  undefined,
  null,
  0,
  -1,
  1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  true,
  false,
  '',
  'x',
  TOPIC,
  `${TOPIC}.reply`,
  '\0',
  '..',
  'ä€😀',
  '-1',
  '18446744073709551616',
  10n,
  Symbol('s'),
  '__proto__',
  'constructor',
  /fuzz-.*/,
  '(',
];
export const NAMES = [
  'topic',
  'topics',
  'partition',
  'partitions',
  'offset',
  'messages',
  'value',
  'key',
  'headers',
  'timestamp',
  'acks',
  'timeout',
  'compression',
  'groupId',
  'groupIds',
  'eachMessage',
  'eachBatch',
  'autoCommit',
  'resources',
  'type',
  'name',
  'configNames',
  'configEntries',
  'acl',
  'fromBeginning',
  'consumerGroupId',
  'topicMessages',
  'numPartitions',
  'replicationFactor',
  'count',
  'topicPartitions',
  'resourceType',
  'resourceName',
  'principal',
  'host',
  'operation',
  'permissionType',
  'resourcePatternType',
  'partitionsConsumedConcurrently',
  'earliest',
  'pattern',
  'data',
  'waitForLeaders',
  'validateOnly',
];
export function anything(depth = 0) {
  const kind = below(depth > 3 ? 3 : 11);
  if (kind < 3) return pick(SCALARS);
  if (kind === 3) return hostile();
  if (kind === 4) return circular();
  if (kind === 5)
    return pick([
      new Uint8Array(3),
      new Uint32Array(2),
      new DataView(new ArrayBuffer(1)),
      Buffer.from('b'),
      new Map([[1, 2]]),
      new Date(Number.NaN),
    ]);
  if (kind === 6)
    return pick([
      () => undefined,
      () => {
        throw new Error('a callback throws');
      },
      async () => {
        throw circular();
      },
      () => hostile(),
    ]);
  if (kind === 7) return Array.from({ length: below(4) }, () => anything(depth + 1));
  const object = Object.create(pick([Object.prototype, Object.prototype, null]));
  for (let i = below(5); i > 0; i--) object[pick(NAMES)] = anything(depth + 1);
  return object;
}
