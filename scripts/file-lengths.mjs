// Lists files with too many lines, which probably do more than one job.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, ROOT } from './lib/process.mjs';

/** Lines that a file may have, and one of tests, which is a list of cases. */
const MOST = 400;
const MOST_OF_TESTS = 520;

const SOURCE = /\.(rs|c|h|ts|mjs|cjs)$/;
const TESTS = /\.test\.ts$|(^|_|\/)tests\.rs$/;
const GENERATED = /^(binding|lib\/boundary)\/|^index\./;

/** Files that may be longer, by how much, and why. */
const EXCEPTIONS = {
  'lib/nest/server/server-kafka.ts': {
    most: 435,
    why: 'the members that NestJS and its subclasses know, each documented; what they do is in the files beside it',
  },
  'lib/nest/client/client-kafka.ts': {
    most: 460,
    why: 'the members that NestJS and its subclasses know, each documented; what they do is in the files beside it',
  },
};

await main(import.meta.url, () => {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const long = [];
  for (const file of files.split('\n').filter((name) => SOURCE.test(name) && !GENERATED.test(name))) {
    const most = EXCEPTIONS[file]?.most ?? (TESTS.test(file) ? MOST_OF_TESTS : MOST);
    const lines = lengthOf(join(ROOT, file));
    if (lines > most) long.push(`${file} has ${lines} lines, and may have ${most}`);
    else if (file in EXCEPTIONS && lines <= MOST) long.push(`${file} is no exception any more`);
  }
  process.stdout.write(`${long.join('\n')}\n`);
  return long.length === 0 ? 0 : 1;
});

/** Number of lines of a file; 0 if it was deleted and git still lists it. */
function lengthOf(path) {
  try {
    return readFileSync(path, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}
