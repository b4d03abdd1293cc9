/** Which faults come when: decided by a seed before anything starts, so that a run can be made again. */
import { HELD } from './proxy.mjs';
import { Random } from './random.mjs';

/** Between two faults, in ms. */
const PAUSE = [400, 3600];
/** How long a fault that can end does last, in ms. */
const LASTS = [500, 6000];
/** How long a broker is away, in ms. */
const AWAY = [500, 5000];

const side = (random) => random.one(['client', 'broker']);

/** What a network does, each with how it is made up of random numbers. */
const NETWORK = [
  () => ({ kind: 'refuse' }),
  (random) => ({ kind: 'reset', of: side(random) }),
  (random) => ({ kind: 'silence', of: side(random) }),
  (random) => ({ kind: 'delay', ms: random.whole(10, 400) }),
  (random) => ({ kind: 'narrow', bytes: random.whole(4096, 65_536) }),
  () => ({ kind: 'shred' }),
  (random) => ({ kind: 'hold', api: random.one(Object.keys(HELD)), ms: random.whole(500, 5000) }),
  (random) => ({ kind: 'hold', api: random.one(Object.keys(HELD)), ms: random.whole(500, 5000) }),
];

/** The other kinds of faults; each comes `weight` times in a round. */
const OTHERS = [
  { kind: 'kill member', weight: 3, make: () => ({}) },
  { kind: 'stop member', weight: 2, make: (random) => ({ ms: random.whole(...LASTS) }) },
  { kind: 'restart member', weight: 3, make: () => ({}) },
  { kind: 'rolling restart', weight: 1, make: () => ({}) },
  { kind: 'join and leave', weight: 1, make: (random) => ({ ms: random.whole(2000, 8000) }) },
  { kind: 'kill broker', weight: 1, make: (random) => ({ ms: random.whole(...AWAY) }) },
  { kind: 'stop broker', weight: 1, make: (random) => ({ ms: random.whole(...AWAY) }) },
  { kind: 'freeze broker', weight: 1, make: (random) => ({ ms: random.whole(...AWAY) }) },
  { kind: 'move leaders', weight: 2, make: (random) => ({ shift: random.whole(1, 3) }) },
  { kind: 'add partition', weight: 1, make: () => ({}) },
  { kind: 'make topic anew', weight: 1, make: () => ({}) },
];

/**
 * The faults of a run. They come in rounds, so that a run that is long enough has each of them.
 *
 * @param {number} seed
 * @param {number} milliseconds how long faults come
 * @returns {{ after: number, kind: string, pick: number, broker: number }[]} each so many ms after the start; `pick`,
 *   from 0 to 1, chooses whom it hits among those who are there then, `broker` which of the three
 */
export function makeSchedule(seed, milliseconds) {
  const random = new Random(seed);
  const schedule = [];
  let round = [];
  for (let after = random.whole(...PAUSE); after < milliseconds; after += random.whole(...PAUSE)) {
    if (round.length === 0) round = makeRound(random);
    schedule.push({ after, pick: random.next(), broker: random.whole(0, 3), ...round.pop() });
  }
  return schedule;
}

function makeRound(random) {
  const network = NETWORK.map((make) => {
    return { kind: 'network', ms: random.whole(...LASTS), network: make(random) };
  });
  const others = OTHERS.flatMap(({ kind, weight, make }) =>
    Array.from({ length: weight }, () => ({ kind, ...make(random) })),
  );
  const round = [...network, ...others];
  // Fisher and Yates's shuffle.
  for (let left = round.length - 1; left > 0; left--) {
    const other = random.whole(0, left + 1);
    [round[left], round[other]] = [round[other], round[left]];
  }
  return round;
}
