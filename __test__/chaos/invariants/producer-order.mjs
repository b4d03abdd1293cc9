import { groupBy, partitionName } from '../history.mjs';

export const name = 'producer order and duplicates';

/**
 * A record is in its topic once, and what one producer sent to a partition is there in the order in which it sent it.
 * What others have copied (dead letters, transformed records) is judged elsewhere.
 */
export function* check(timeline) {
  const sends = new Map(timeline.of('send').map((event, place) => [event.record, { event, place }]));
  const topics = new Set([...sends.values()].map(({ event }) => event.topic));
  const log = timeline.log.filter(({ topic }) => topics.has(topic));
  for (const copies of groupBy(log, ({ topic, record }) => `${record} ${topic}`).values()) {
    const [{ topic, record }] = copies;
    if (copies.length === 1) continue;
    const by = sends.has(record) ? [sends.get(record).event.process] : [];
    yield { message: `${record} is in ${topic} ${copies.length} times`, shown: copies, by };
  }
  for (const [partition, records] of groupBy(log, partitionName)) {
    const last = new Map();
    for (const record of records) {
      const sent = sends.get(record.record);
      if (sent === undefined || sent.event.topic !== record.topic) {
        yield { message: `${record.record} in ${partition} was sent by nobody`, shown: [record] };
        continue;
      }
      const { process } = sent.event;
      const before = last.get(process);
      if (before !== undefined && before.place > sent.place) {
        yield {
          message: `${partition}: ${record.record} stands behind ${before.event.record}, which ${process} had sent later`,
          shown: [sent.event, before.event, record],
          by: [process],
        };
      }
      last.set(process, sent);
    }
  }
}
