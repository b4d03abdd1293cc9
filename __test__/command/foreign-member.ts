import { connect, type Socket } from 'node:net';
import { AssignerProtocol } from 'kafkajs';
import { BROKERS } from '../harness/broker';

const JOIN_GROUP = 11;
const SESSION_TIMEOUT = 30_000;

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

const bytes = (value: Buffer): Buffer => Buffer.concat([number(value.length), value]);

function number(value: number): Buffer {
  const written = Buffer.alloc(4);
  written.writeInt32BE(value);
  return written;
}

/**
 * Joins a group as something that is no consumer: Kafka Connect's workers, for instance, are of the kind "connect". Resolves once
 * the coordinator has answered; the member is one until its connection ends and its session is over.
 */
export async function joinAs(kind: string, groupId: string): Promise<Socket> {
  const header = Buffer.alloc(8);
  header.writeInt16BE(JOIN_GROUP, 0);
  header.writeInt16BE(2, 2);
  const metadata = AssignerProtocol.MemberMetadata.encode({
    version: 0,
    topics: [],
    userData: Buffer.alloc(0),
  });
  const request = Buffer.concat([
    header,
    text('tests'),
    text(groupId),
    number(SESSION_TIMEOUT),
    number(SESSION_TIMEOUT),
    text(''),
    text(kind),
    number(1),
    text('default'),
    bytes(metadata),
  ]);
  const [host, port] = BROKERS[0]!.split(':');
  const socket = connect(Number(port), host);
  await new Promise((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('error', reject);
    socket.write(Buffer.concat([number(request.length), request]));
  });
  return socket;
}
