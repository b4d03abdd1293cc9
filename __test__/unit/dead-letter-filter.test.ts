import { expect, it } from 'vitest';
import { filterOf } from '../../lib/command/dead-letters/filter.js';

const NOW = Date.parse('2026-01-31T12:00Z');

const takes = (since: string, timestamp: number): boolean =>
  filterOf({ values: { since } } as never, NOW).matches({
    message: { timestamp: String(timestamp) },
  } as never);

it.each([
  ['30m', NOW - 30 * 60_000],
  ['7d', NOW - 7 * 86_400_000],
  ['2026-01-31', Date.parse('2026-01-31')],
  ['2026-01-31T10:00Z', NOW - 2 * 3_600_000],
])('--since %s begins at its time', (since, begin) => {
  expect([takes(since, begin - 1), takes(since, begin)]).toEqual([false, true]);
});

it.each(['7', '45', '60', '0', 'yesterday', '7 d', '2026-13-01'])('--since %s is no time', (since) => {
  expect(() => filterOf({ values: { since } } as never, NOW)).toThrow('--since takes a time like');
});
