import { expect, it } from 'vitest';
import { ConsumerState, type Run } from '../../lib/kafkajs/consumer/state.js';

it.each<[string, (state: ConsumerState, run: Run) => unknown]>([
  ['its consumer is stopped', (state) => state.abort()],
  ['it has crashed and does not restart', (state) => [state.crash(), state.end()]],
  ['it could not start', (state, run) => state.end(run)],
])('what watches a run ends with it: %s', (_, end) => {
  const state = new ConsumerState();
  const run = state.begin({});
  end(state, run);
  expect([run.controller.signal.aborted, state.isToRun]).toEqual([true, false]);
});

it('the end of a run leaves one that has begun since', () => {
  const state = new ConsumerState();
  const run = state.begin({});
  state.abort();
  const next = state.begin({});
  state.end(run);
  expect([next.controller.signal.aborted, state.isToRun, state.abort()]).toEqual([false, true, true]);
  expect(state.abort()).toBe(false);
});
