// Finds ports that a broker can listen on.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** The address that all test brokers listen on. */
export const HOST = '127.0.0.1';

/**
 * The first of two consecutive free ports. They are taken from below the range from which systems give ports to
 * outgoing connections: such a connection could take one before the broker does.
 */
export async function freePorts() {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = 20_000 + 2 * Math.floor(Math.random() * 6000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error('found no two consecutive free ports');
}

async function isFree(port) {
  const server = createServer();
  try {
    server.listen(port, HOST);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
