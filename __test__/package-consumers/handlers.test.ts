import { afterAll, describe, expect, test } from 'vitest';
import { closeBroker, createTopics, unique, untilCommitted } from '../harness/broker';
import { install, stopRegistry, type Dependencies, type Format } from './install';
import { OF_ITSELF, run } from './run';

// Handlers with options of their own, in applications with their own NestJS, as both kinds of modules: what __test__/handlers tests in
// detail, in one run.

const TIMEOUT = 300_000;
const TOPICS = ['keys', 'batches', 'filters', 'acks'];

afterAll(closeBroker);
afterAll(stopRegistry);

describe.each<[Dependencies, Format]>([
  ['nest11', 'cjs'],
  ['nest11', 'esm'],
  ['nest11-oldest', 'cjs'],
  ['nest12', 'cjs'],
  ['nest12', 'esm'],
])('%s, %s', (dependencies, format) => {
  test(
    'keys at once, batches, filters and acknowledgements',
    async () => {
      const prefix = unique('handlers');
      await createTopics(Object.fromEntries(TOPICS.map((name) => [`${prefix}.${name}`, 1])));
      const { ended, facts } = await run([`${format}/handlers.js`], {
        cwd: await install(dependencies),
        prefix,
      });
      expect(ended).toEqual(OF_ITSELF);
      expect(facts).toEqual({
        keys: ['b1', 'a1', 'a2'],
        batches: [['x', 'y', 'z']],
        batchContext: true,
        created: ['1', '3'],
        others: ['2'],
        acks: [true, true, false, true],
      });
      for (const name of TOPICS) await untilCommitted(`${prefix}-server`, `${prefix}.${name}`, 3);
    },
    TIMEOUT,
  );
});
