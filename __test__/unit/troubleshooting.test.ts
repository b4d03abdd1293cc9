import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

// docs/troubleshooting.md quotes messages. A reader looks for what is on the screen, so each has to be one that exists: in this
// package's code, in NestJS's, or in librdkafka, whose texts are in the binary.

const ROOT = join(import.meta.dirname, '../..');

function textsBelow(folder: string, extension: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => extension.test(name))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8'));
}

const binary = readdirSync(ROOT).find((name) => name.endsWith('.node')) as string;
const code = [
  ...textsBelow('lib', /\.ts$/),
  ...textsBelow('src', /\.rs$/),
  ...textsBelow('binding', /\.js$/),
  ...textsBelow('node_modules/@nestjs/microservices', /\.js$/),
  readFileSync(join(ROOT, 'index.js'), 'utf8'),
  readFileSync(join(ROOT, binary), 'latin1'),
  readFileSync(join(ROOT, 'node_modules/typescript/lib/typescript.js'), 'utf8'),
  // What the C library says of a failed system call.
  'Connection refused',
]
  .join('\n')
  .replaceAll(String.raw`\'`, "'");

const page = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');
const quoted = [...page.matchAll(/\*\*`([^`]+)`\*\*/g)].map(([, text]) => text as string);

test('the page quotes messages', () => {
  expect(quoted.length).toBeGreaterThan(60);
});

test.each(quoted)('%s', (message) => {
  // What is between the parts that vary, and between two sentences that are put together.
  const parts = message
    .split(/…|: /)
    .map((part) => part.trim())
    .filter((part) => part.length > 3);
  expect(parts.filter((part) => !code.includes(part))).toEqual([]);
});
