import { assignmentName, groupBy, partitionName } from '../history.mjs';

export const name = 'attempts and dead letters';

/**
 * Within an assignment the attempts of a record count up by one; a record is put aside after its last attempt and not
 * before, and is then in the dead-letter topic.
 */
export function* check(timeline, { maxAttempts = 3, deadLetterTopic = (topic) => `${topic}.DLT` } = {}) {
  const records = groupBy(
    timeline.deliveries,
    (one) => `${assignmentName(one.begin)} ${partitionName(one)} ${one.offset}`,
  );
  for (const [record, deliveries] of records) {
    for (const [index, { begin, end }] of deliveries.entries()) {
      const before = deliveries[index - 1];
      if (before !== undefined && begin.attempt !== before.begin.attempt + 1) {
        yield {
          message: `${record}: attempt ${begin.attempt} followed attempt ${before.begin.attempt}`,
          shown: [before.begin, begin],
        };
      }
      if (end?.outcome !== 'dead-lettered') continue;
      if (begin.attempt < maxAttempts) {
        yield {
          message: `${record} was put aside after attempt ${begin.attempt} of ${maxAttempts}`,
          shown: [begin, end],
        };
      }
      const copies = timeline.records.get(begin.record) ?? [];
      if (!copies.some(({ topic }) => topic === deadLetterTopic(deliveries[index].topic))) {
        yield { message: `${record} was put aside and is in no dead-letter topic`, shown: [begin, end] };
      }
    }
  }
}
