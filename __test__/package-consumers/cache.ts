import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Outside this checkout: Node would find kafkajs and another Nest in a node_modules above. */
const CACHE = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'nestjs-kafka-native',
  'package-consumers',
);
const UNUSED_AFTER = 15 * 60_000;

/** A folder of the cache, filled once. */
export async function cached(name: string, fill: (folder: string) => Promise<unknown>): Promise<string> {
  const folder = join(CACHE, name);
  if (!existsSync(folder)) {
    mkdirSync(CACHE, { recursive: true });
    // Made beside and renamed, so that an interrupted or a second run never leaves half of it.
    const incoming = mkdtempSync(join(CACHE, 'incoming-'));
    try {
      await fill(incoming);
      renameSync(incoming, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
    } finally {
      rmSync(incoming, { recursive: true, force: true });
    }
  }
  utimesSync(folder, new Date(), new Date());
  sweep();
  return folder;
}

/** Removes the installations of earlier builds. */
function sweep(): void {
  for (const name of readdirSync(CACHE)) {
    const folder = join(CACHE, name);
    const used = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - used > UNUSED_AFTER) rmSync(folder, { recursive: true, force: true });
  }
}
