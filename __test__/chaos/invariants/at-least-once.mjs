import { groupBy, partitionName } from '../history.mjs';

export const name = 'at least once';

/** Every visible record was handled, or put aside, by each group that reads its topic. */
export function* check(timeline) {
  const groups = groupBy(timeline.of('assigned'), ({ group }) => group);
  for (const [group, assigned] of groups) {
    const topics = new Set(assigned.map(({ topic }) => topic));
    const ended = new Set(
      timeline.deliveries
        .filter((one) => one.group === group && ['done', 'dead-lettered'].includes(one.end?.outcome))
        .map((one) => `${partitionName(one)} ${one.offset}`),
    );
    for (const record of timeline.log) {
      if (!topics.has(record.topic) || ended.has(`${partitionName(record)} ${record.offset}`)) continue;
      const attempts = timeline.deliveries.filter(
        (one) =>
          one.group === group && one.offset === record.offset && partitionName(one) === partitionName(record),
      );
      yield {
        message: `${record.record}, ${partitionName(record)} at ${record.offset}, was never handled by ${group}`,
        shown: [record, ...attempts.flatMap(({ begin, end }) => (end ? [begin, end] : [begin]))],
      };
    }
  }
}
