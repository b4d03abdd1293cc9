import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (name: string): string =>
  readFileSync(new URL(`../../examples/docker/${name}`, import.meta.url), 'utf8');
const imagesOf = (text: string): string[] => [...text.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image!);

test.each([
  ['Dockerfile', 'node:22-bookworm-slim'],
  ['Dockerfile.alpine', 'node:22-alpine'],
])('%s builds and runs on one libc, without rights, and gets SIGTERM', (name, image) => {
  const text = read(name);
  expect(imagesOf(text)).toEqual([image, image]);
  expect(text).toMatch(/^USER node$/m);
  expect(text).toMatch(/^CMD \["node", /m);
});

const withoutSystem = (text: string): string =>
  text.slice(text.indexOf('\nFROM')).replaceAll(/node:22-\S+/g, 'node');

test('the two differ in nothing but their system', () => {
  expect(withoutSystem(read('Dockerfile'))).toBe(withoutSystem(read('Dockerfile.alpine')));
});
