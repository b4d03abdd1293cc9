import { partitionName } from '../history.mjs';

export const name = 'commit safety';

/** Clocks of one machine, told in whole milliseconds. */
const CLOCK_MS = 2;

/** At any time, the committed offset is at most one above the highest below which everything had ended. */
export function* check(timeline) {
  const ended = new Map();
  for (const { group, offset, end, ...one } of timeline.deliveries) {
    if (end === undefined || end.outcome === 'failed') continue;
    const key = `${group} ${partitionName(one)} ${offset}`;
    ended.set(key, Math.min(end.at, ended.get(key) ?? Number.POSITIVE_INFINITY));
  }
  for (const commit of timeline.commits) {
    const { group, at, offset } = commit;
    const below = (timeline.partitions.get(partitionName(commit)) ?? []).filter((one) => one.offset < offset);
    const early = below.find((record) => {
      const end = ended.get(`${group} ${partitionName(record)} ${record.offset}`) ?? Number.POSITIVE_INFINITY;
      return end > at + CLOCK_MS;
    });
    if (early === undefined) continue;
    const handled = timeline.deliveriesOf.get(`${group} ${partitionName(early)}`) ?? [];
    yield {
      message: `${group} committed ${offset} of ${partitionName(commit)} before ${early.offset} had ended`,
      shown: [early, commit, ...handled.filter((one) => one.offset === early.offset).flatMap(eventsOf)],
    };
  }
}

function eventsOf({ begin, end }) {
  return end ? [begin, end] : [begin];
}
