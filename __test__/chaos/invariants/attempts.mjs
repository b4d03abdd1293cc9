import { assignmentName, deliveredAt, groupBy } from '../history.mjs';

export const name = 'attempts and dead letters';

/**
 * Within an assignment the attempts of a record count up by one; a record is put aside after its last attempt and not
 * before, and is then in the dead-letter topic.
 */
export function* check(timeline, { maxAttempts = 3, deadLetters = (group) => `${group}.dead` } = {}) {
  const records = groupBy(timeline.deliveries, (one) => `${assignmentName(one.begin)} ${deliveredAt(one)}`);
  for (const deliveries of records.values()) {
    const record = deliveredAt(deliveries[0]);
    for (const [index, { group, begin, end }] of deliveries.entries()) {
      const by = [begin.process];
      const before = deliveries[index - 1];
      const isNext = before === undefined || begin.attempt === before.begin.attempt + 1;
      if (!isNext && !timeline.wasExpelled(begin.process, before.begin.at, begin.at)) {
        yield {
          message: `${record}: attempt ${begin.attempt} followed attempt ${before.begin.attempt}`,
          shown: [before.begin, begin],
          by,
        };
      }
      if (end?.outcome !== 'dead-lettered') continue;
      if (begin.attempt < maxAttempts) {
        yield {
          message: `${record} was put aside after attempt ${begin.attempt} of ${maxAttempts}`,
          shown: [begin, end],
          by,
        };
      }
      const copies = timeline.records.get(begin.record) ?? [];
      if (!copies.some(({ topic }) => topic === deadLetters(group))) {
        yield { message: `${record} was put aside and is in no dead-letter topic`, shown: [begin, end], by };
      }
    }
  }
}
