import { expect, test } from 'vitest';
import { releaseSteps, staleExceptions } from '../../scripts/lib/release-steps.mjs';

test('a release rehearses all that the workflow runs, but for what is named', () => {
  const steps = releaseSteps();
  const rehearsed = steps.filter(({ without }) => without === undefined).map(({ job }) => job);
  expect([...new Set(rehearsed)]).toEqual(['version', 'packages', 'install', 'publish', 'published']);
  expect(steps.length - rehearsed.length).toBe(8);
  expect(staleExceptions()).toEqual([]);
});

test('what is left out is what the reasons are for', () => {
  for (const { without, run } of releaseSteps()) {
    if (without?.includes('container')) expect(run).toContain('docker run');
  }
});
