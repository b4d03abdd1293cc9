// The steps of `.github/workflows/release.yml`, and which of them a rehearsal runs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './process.mjs';

const CONTAINER = 'in a container, or on a machine, of another system';

/** Steps that are not rehearsed, by job and index among the job's steps that run a script, each with the reason. */
const LEFT_OUT = {
  'build 0': 'the binary is built in this checkout, before all else',
  'build 1': CONTAINER,
  'build 2': 'the binary of this checkout needs the glibc of this system',
  'test 0': 'npm test runs these tests, and more',
  'test 1': CONTAINER,
  'install 1': CONTAINER,
  'oldest-glibc 0': CONTAINER,
  'published 1': CONTAINER,
};

/**
 * The steps that run something, in the order in which their jobs depend on one another: job, name, the script, its environment, and
 * `without`: why a rehearsal leaves it out.
 */
export function releaseSteps() {
  const { jobs } = parse(readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8'));
  return Object.entries(jobs).flatMap(([job, { steps, env: shared }]) =>
    steps
      .filter(({ run }) => run !== undefined)
      .map(({ name, run, env }, place) => ({
        job,
        place,
        name: name ?? run.trim().split('\n')[0],
        run,
        env: { ...shared, ...env },
        without: LEFT_OUT[`${job} ${place}`],
      })),
  );
}

/** Entries of the list above whose steps no longer exist. */
export function staleExceptions() {
  const known = new Set(releaseSteps().map(({ job, place }) => `${job} ${place}`));
  return Object.keys(LEFT_OUT).filter((step) => !known.has(step));
}
