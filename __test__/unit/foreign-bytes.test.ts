/**
 * What reads bytes that other programs have written, with any bytes: it reads them, or throws the error that a buffer throws which
 * ends too early. The readers of the core are tested so in Rust (docs/internal/memory-safety.md has the list).
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { apiVersions } from '../../lib/command/doctor/api-versions';
import { AssignerProtocol } from '../../lib/kafkajs/group/assigner-protocol';
import { attemptsOf, dueOf, firstOrigin, firstTopic } from '../../lib/nest/server/retry-headers';

const { Random } = await import(new URL('../chaos/random.mjs', import.meta.url).href);

const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
/** `__test__/long/foreign-bytes` has more. */
const CASES = Number(process.env['FUZZ_CASES'] ?? 5000);
const random = new Random(SEED);

/** Bytes that a number of small fields may be in: mostly zeros and small numbers, where readers go on. */
function anyBytes(most: number): Buffer {
  const bytes = Buffer.alloc(random.whole(0, most + 1));
  const shape = random.next();
  for (let at = 0; at < bytes.length; at++) {
    if (random.next() > shape) bytes[at] = random.next() < 0.7 ? random.whole(0, 4) : random.whole(0, 256);
  }
  return bytes;
}

/** A valid buffer, with one byte changed or its end cut off. */
function spoiled(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (random.next() < 0.5) return copy.subarray(0, random.whole(0, copy.length));
  copy[random.whole(0, copy.length)] = random.whole(0, 256);
  return copy;
}

function readsOrRefuses(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw new Error(`FUZZ_SEED=${SEED}`, { cause: error });
  }
}

/** `expect` takes longer than what is tested. */
function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(`${what} (FUZZ_SEED=${SEED})`);
}

test('the metadata and assignments of members', () => {
  const { MemberMetadata, MemberAssignment } = AssignerProtocol;
  const metadata = MemberMetadata.encode({ version: 1, topics: ['a', 'b'], userData: Buffer.from('{}') });
  const assignment = MemberAssignment.encode({ version: 1, assignment: { a: [0, 1], b: [2] } });
  for (let one = 0; one < CASES; one++) {
    const bytes = anyBytes(60);
    for (const read of [bytes, spoiled(metadata)]) readsOrRefuses(() => MemberMetadata.decode(read));
    for (const read of [bytes, spoiled(assignment)]) readsOrRefuses(() => MemberAssignment.decode(read));
  }
});

test('the headers of retry topics', () => {
  const names = [
    'retry_topic-attempts',
    'retry_topic-backoff-timestamp',
    'kafka_original-topic',
    'kafka_original-partition',
    'kafka_original-offset',
    'kafka_original-timestamp',
    'kafka_original-timestamp-type',
  ];
  for (let one = 0; one < CASES; one++) {
    const headers = names.flatMap((name): [string, Buffer | null][] => {
      const chance = random.next();
      if (chance < 0.1) return [];
      return [[name, chance < 0.2 ? null : anyBytes(random.one([0, 1, 4, 8, 12]))]];
    });
    const attempts = attemptsOf(headers);
    holds(attempts >= 1 && attempts <= 32_767, `${attempts} attempts`);
    holds(Number.isInteger(dueOf(headers)), `due at ${dueOf(headers)}`);
    const origin = firstOrigin(headers);
    holds(origin === undefined || origin.topic === firstTopic(headers), `from ${origin?.topic}`);
  }
});

test('what answers at the address of a broker', async () => {
  let answer: Buffer = Buffer.alloc(0);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = async (): Promise<unknown> => {
    const socket = connect(port, '127.0.0.1');
    try {
      return await apiVersions(socket, 30_000).catch((error: unknown) => error);
    } finally {
      socket.destroy();
    }
  };
  try {
    for (let one = 0; one < 300; one++) {
      const body = anyBytes(40);
      answer = Buffer.concat([Buffer.from([0, 0, 0, body.length]), body]);
      const outcome = await ask();
      holds(outcome instanceof Map || outcome instanceof Error, `the answer is ${String(outcome)}`);
    }
    // The answer says that it has three entries, and ends before the first.
    answer = Buffer.from([0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 3]);
    await expect(ask()).resolves.toEqual(new Error('the answer is not that of a Kafka broker'));
  } finally {
    server.close();
  }
});
