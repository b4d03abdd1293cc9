import { deliveredAt, eventsOf, groupBy, isDone, partitionName } from '../history.mjs';
import { suspects } from './neighbours.mjs';

export const name = 'at least once';

/** Every visible record was handled, or put aside, by each group that reads its topic. */
export function* check(timeline) {
  const handling = groupBy(timeline.deliveries, ({ group }) => group);
  for (const [group, deliveries] of handling) {
    const topics = new Set(deliveries.map(({ topic }) => topic));
    for (const record of timeline.log) {
      if (!topics.has(record.topic)) continue;
      const attempts = timeline.deliveriesAt.get(deliveredAt({ group, ...record })) ?? [];
      if (attempts.some(isDone)) continue;
      const partition = partitionName(record);
      yield {
        message: `${record.record}, ${partition} at ${record.offset}, was never handled by ${group}`,
        shown: [record, ...attempts.flatMap(eventsOf)],
        by: suspects(timeline, group, partition, record),
      };
    }
  }
}
