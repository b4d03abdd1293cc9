import { createHash } from 'node:crypto';
import { hostname } from 'node:os';

/**
 * A number below `count` that differs from instance to instance, and stays the same within one: instances of one service share their
 * client id, so host and process count too.
 */
export function spread(name: string, count: number): number {
  const hash = createHash('sha1').update(`${name} ${hostname()} ${process.pid}`).digest();
  return hash.readUInt32BE(0) % count;
}
