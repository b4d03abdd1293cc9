import { setOwn } from '../../values/own-property.js';
import type { Assignment, ISerializer, MemberAssignment, MemberMetadata } from '../types/index.js';

/** Reads Kafka's primitive types, all big-endian. */
class Reader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  int16(): number {
    this.#at += 2;
    return this.#buffer.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#buffer.readInt32BE(this.#at - 4);
  }

  /** A null string or null bytes have a negative length; as in kafkajs, both give null. */
  #field(length: number): Buffer | null {
    if (length < 0) return null;
    const end = this.#at + length;
    if (end > this.#buffer.length) throw new RangeError('The buffer ends before its last field');
    const field = this.#buffer.subarray(this.#at, end);
    this.#at = end;
    return field;
  }

  string(): string {
    return this.#field(this.int16())?.toString() ?? '';
  }

  bytes(): Buffer | null {
    return this.#field(this.int32());
  }

  array<T>(item: () => T): T[] {
    const items: T[] = [];
    // Grows as items are there: the number is another member's, and nothing is to be allocated for what it only claims.
    for (let left = this.int32(); left > 0; left--) items.push(item());
    return items;
  }
}

const int16 = (value: number): Buffer => {
  const buffer = Buffer.allocUnsafe(2);
  buffer.writeInt16BE(value);
  return buffer;
};
const int32 = (value: number): Buffer => {
  const buffer = Buffer.allocUnsafe(4);
  buffer.writeInt32BE(value);
  return buffer;
};
const string = (text: string): Buffer => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
const bytes = (data: Buffer): Buffer => Buffer.concat([int32(data.length), data]);
const array = <T>(items: readonly T[], item: (value: T) => Buffer): Buffer =>
  Buffer.concat([int32(items.length), ...items.map(item)]);

/** A value to encode; as in kafkajs, missing user data is encoded as empty. */
export type Encodable<T extends { userData: Buffer }> = Omit<T, 'userData'> & {
  /** Bytes of the assigner’s own. */
  userData?: Buffer;
};

const MemberMetadataProtocol = {
  encode: ({ version, topics, userData = Buffer.alloc(0) }: Encodable<MemberMetadata>): Buffer =>
    Buffer.concat([int16(version), array(topics, string), bytes(userData)]),

  decode(buffer: Buffer): MemberMetadata {
    const reader = new Reader(buffer);
    return {
      version: reader.int16(),
      topics: reader.array(() => reader.string()),
      userData: reader.bytes() as Buffer,
    };
  },
};

const MemberAssignmentProtocol = {
  encode: ({ version, assignment, userData = Buffer.alloc(0) }: Encodable<MemberAssignment>): Buffer =>
    Buffer.concat([
      int16(version),
      array(Object.entries(assignment), ([topic, partitions]) =>
        Buffer.concat([string(topic), array(partitions, int32)]),
      ),
      bytes(userData),
    ]),

  decode(buffer: Buffer): MemberAssignment | null {
    // A member to which the leader has assigned nothing gets no bytes at all.
    if (buffer.length < 2) return null;
    const reader = new Reader(buffer);
    const version = reader.int16();
    const assignment: Assignment = {};
    for (const [topic, partitions] of reader.array(
      () => [reader.string(), reader.array(() => reader.int32())] as const,
    )) {
      setOwn(assignment, topic, partitions);
    }
    return { version, assignment, userData: reader.bytes() as Buffer };
  },
};

/** kafkajs's `AssignerProtocol`: the consumer protocol's structures, as partition assigners write and read them. */
export const AssignerProtocol: {
  /** The metadata that a member sends to the leader. */
  MemberMetadata: ISerializer<MemberMetadata> & {
    /** Writes it; without user data there is an empty one. */
    encode(value: Encodable<MemberMetadata>): Buffer;
    /** Reads it. */
    decode(buffer: Buffer): MemberMetadata;
  };
  /** The assignment that the leader sends to a member; an empty buffer decodes to null. */
  MemberAssignment: ISerializer<MemberAssignment> & {
    /** Writes it; without user data there is an empty one. */
    encode(value: Encodable<MemberAssignment>): Buffer;
  };
} = { MemberMetadata: MemberMetadataProtocol, MemberAssignment: MemberAssignmentProtocol };
