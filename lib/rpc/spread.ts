import { createHash } from 'node:crypto';
import { hostname } from 'node:os';

/**
 * A number below `count` that differs from instance to instance, and is constant within one. Instances of one service
 * have the same client id, so host and process id are included.
 */
export function spread(name: string, count: number): number {
  const hash = createHash('sha1').update(`${name} ${hostname()} ${process.pid}`).digest();
  return hash.readUInt32BE(0) % count;
}
