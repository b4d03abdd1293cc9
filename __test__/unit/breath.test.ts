import { afterEach, expect, test, vi } from 'vitest';
import { Breath } from '../../lib/runner/breath.js';

afterEach(() => vi.restoreAllMocks());

/** A clock that handlers of so many milliseconds move, and how often it is read. */
function clock(): { now: number; readonly reads: number } {
  const spy = vi.spyOn(performance, 'now');
  const state = {
    now: 1000,
    get reads() {
      return spy.mock.calls.length;
    },
  };
  spy.mockImplementation(() => state.now);
  return state;
}

/** Handlers until the event loop is to have its turn: how many. */
function handle(breath: Breath, time: { now: number }, milliseconds: number, most = 100_000): number {
  for (let handled = 1; handled <= most; handled++) {
    time.now += milliseconds;
    if (breath.isOvertime()) return handled;
  }
  return most;
}

test('slow handlers give the event loop its turn after 10 ms, and the clock is read behind each', async () => {
  const time = clock();
  const breath = new Breath();
  expect(handle(breath, time, 2)).toBe(7);
  expect(time.reads).toBe(7);
  await breath.breathe();
  expect(handle(breath, time, 2)).toBe(7);
});

test('of quick handlers only each eighth is followed by a look at the clock, and the turn comes as early', async () => {
  const time = clock();
  const breath = new Breath();
  const handled = handle(breath, time, 0.01);
  expect(handled).toBeGreaterThanOrEqual(1001);
  expect(handled).toBeLessThanOrEqual(1010);
  expect(time.reads).toBeLessThanOrEqual(handled / 8 + 2);
  await breath.breathe();
  expect(handle(breath, time, 0.01)).toBeLessThanOrEqual(1018);
});

test('handlers that become slow are noticed behind the eighth', () => {
  const time = clock();
  const breath = new Breath();
  handle(breath, time, 0.01, 100);
  const before = time.now;
  expect(handle(breath, time, 5)).toBeLessThanOrEqual(8);
  expect(time.now - before).toBeLessThanOrEqual(40);
  expect(handle(breath, time, 5), 'and from then on behind each').toBe(1);
});
