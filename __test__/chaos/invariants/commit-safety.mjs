import { deliveredAt, eventsOf, isDone, partitionName } from '../history.mjs';
import { suspects } from './neighbours.mjs';

export const name = 'commit safety';

/** Clocks of one machine, told in whole milliseconds. */
const CLOCK_MS = 2;

/** At any time, the committed offset is at most one above the highest below which everything had ended. */
export function* check(timeline) {
  const ended = new Map();
  for (const delivery of timeline.deliveries.filter(isDone)) {
    const key = deliveredAt(delivery);
    ended.set(key, Math.min(delivery.end.at, ended.get(key) ?? Number.POSITIVE_INFINITY));
  }
  /** How far each group's partition is known to have ended, as an index of its log; what has ended once has. */
  const progress = new Map();
  for (const commit of timeline.commits) {
    const { group, at, offset } = commit;
    const partition = partitionName(commit);
    if (!timeline.deliveriesOf.has(`${group} ${partition}`)) continue;
    const log = timeline.partitions.get(partition) ?? [];
    let index = progress.get(`${group} ${partition}`) ?? 0;
    const endOf = (record) => ended.get(deliveredAt({ group, ...record })) ?? Number.POSITIVE_INFINITY;
    while (index < log.length && log[index].offset < offset && endOf(log[index]) <= at + CLOCK_MS) index++;
    progress.set(`${group} ${partition}`, index);
    const early = log[index];
    if (early === undefined || early.offset >= offset) continue;
    const handled = timeline.deliveriesAt.get(deliveredAt({ group, ...early })) ?? [];
    yield {
      message: `${group} committed ${offset} of ${partition} before ${early.offset} had ended`,
      shown: [early, commit, ...handled.flatMap(eventsOf)],
      by: suspects(timeline, group, partition, { offset: early.offset, at }),
    };
  }
}
