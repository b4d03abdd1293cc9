import { assignmentName, groupBy, partitionName } from '../history.mjs';

export const name = 'order and no gap';

/** Within an assignment records are begun in order, none is left out, and one comes again only after it has failed. */
export function* check(timeline) {
  const assignments = groupBy(timeline.deliveries, ({ begin }) => assignmentName(begin));
  for (const deliveries of assignments.values()) {
    const log = timeline.partitions.get(partitionName(deliveries[0])) ?? [];
    const next = new Map(log.map(({ offset }, index) => [offset, log[index + 1]?.offset]));
    for (let index = 1; index < deliveries.length; index++) {
      const [before, now] = [deliveries[index - 1], deliveries[index]];
      const failed = before.end?.outcome === 'failed';
      const wanted = failed ? before.offset : next.get(before.offset);
      if (now.offset === wanted) continue;
      yield {
        message: `${partitionName(now)}: ${now.offset} came after ${before.offset}, where ${wanted ?? 'nothing'} was next`,
        shown: [before.begin, ...(before.end ? [before.end] : []), now.begin],
      };
    }
  }
}
