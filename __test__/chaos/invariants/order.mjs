import { assignmentName, deliveredAt, eventsOf, groupBy, partitionName } from '../history.mjs';

export const name = 'order and no gap';

/**
 * Within an assignment records are begun in order, none is left out, and one comes again only after it has failed. A
 * member is not always told that a partition has been another's meanwhile: what lies between two records may have been
 * begun by others in between, and one that the group has thrown out may be given the same partition again.
 */
export function* check(timeline) {
  const assignments = groupBy(timeline.deliveries, ({ begin }) => assignmentName(begin));
  for (const deliveries of assignments.values()) {
    const log = timeline.partitions.get(partitionName(deliveries[0])) ?? [];
    const places = new Map(log.map(({ offset }, index) => [offset, index]));
    for (let index = 1; index < deliveries.length; index++) {
      const [before, now] = [deliveries[index - 1], deliveries[index]];
      const failed = before.end?.outcome === 'failed';
      const wanted = failed ? before.offset : log[places.get(before.offset) + 1]?.offset;
      if (now.offset === wanted || wasElsewhere(timeline, log, places, before, now)) continue;
      // Back to what was committed, that is.
      const { process, at } = now.begin;
      if (now.offset <= before.offset && timeline.wasExpelled(process, before.begin.at, at)) continue;
      yield {
        message: `${partitionName(now)}: ${now.offset} came after ${before.offset}, where ${wanted ?? 'nothing'} was next`,
        shown: [...eventsOf(before), now.begin],
        by: [now.begin.process],
      };
    }
  }
}

/** Whether others have begun what lies between two records of an assignment, between the two. */
function wasElsewhere(timeline, log, places, before, now) {
  const { group } = now;
  const [from, to] = [places.get(before.offset), places.get(now.offset)];
  if (from === undefined || to === undefined) return false;
  // Back to a record: some other has to have had it last.
  const between = to > from + 1 ? log.slice(from + 1, to) : [log[to]];
  return between.every((record) =>
    (timeline.deliveriesAt.get(deliveredAt({ group, ...record })) ?? []).some(
      ({ begin }) =>
        begin.process !== now.begin.process && begin.at > before.begin.at && begin.at < now.begin.at,
    ),
  );
}
