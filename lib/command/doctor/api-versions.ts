import type { Socket } from 'node:net';

const API_VERSIONS = 18;
const CORRELATION_ID = 7;

/**
 * Asks the broker at the other end which requests it supports, before authentication, by version 0 of ApiVersions,
 * which every broker answers. Resolves to the newest version of each request, by API key.
 */
export function apiVersions(socket: Socket, timeout: number): Promise<ReadonlyMap<number, number>> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    socket.setTimeout(timeout, () => socket.destroy(new Error(`no answer within ${timeout} ms`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      try {
        resolve(versionsIn(received.subarray(4)));
      } catch {
        socket.destroy(new Error('the answer is not that of a Kafka broker'));
      }
    });
    // Header: key, version, correlation id, client id (null); the body is empty.
    const request = Buffer.alloc(14);
    request.writeInt32BE(10, 0);
    request.writeInt16BE(API_VERSIONS, 4);
    request.writeInt16BE(0, 6);
    request.writeInt32BE(CORRELATION_ID, 8);
    request.writeInt16BE(-1, 12);
    socket.write(request);
  });
}

/** Correlation id, error code, then the number of entries of key, oldest and newest version. */
function versionsIn(response: Buffer): ReadonlyMap<number, number> {
  const versions = new Map<number, number>();
  const count = response.readInt32BE(6);
  for (let index = 0; index < count; index++) {
    const at = 10 + index * 6;
    versions.set(response.readInt16BE(at), response.readInt16BE(at + 4));
  }
  return versions;
}
