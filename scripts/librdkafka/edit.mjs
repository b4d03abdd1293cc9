import { readFileSync } from 'node:fs';
import { writeFile } from '../lib/files.mjs';
import { Failure } from '../lib/process.mjs';

/** Changes one place of a file, which has to be there. */
export function edit(file, what, replacement) {
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(what, replacement);
  if (changed === text)
    throw new Failure(
      `${file} has no ${what}: change scripts/librdkafka/mends.mjs or scripts/lib/librdkafka.mjs`,
    );
  writeFile(file, changed);
}
