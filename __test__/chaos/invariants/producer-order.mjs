import { groupBy, partitionName } from '../history.mjs';

export const name = 'producer order and duplicates';

/**
 * A record is in its topic once, and what one producer sent to a partition is there in the order in which it sent it.
 * What others have copied (dead letters) is judged elsewhere.
 */
export function* check(timeline) {
  for (const copies of groupBy(timeline.log, ({ topic, record }) => `${record} ${topic}`).values()) {
    const [{ topic, record }] = copies;
    if (copies.length === 1) continue;
    yield { message: `${record} is in ${topic} ${copies.length} times`, shown: copies };
  }
  const sends = new Map(timeline.of('send').map((event, place) => [event.record, { event, place }]));
  for (const [partition, log] of groupBy(timeline.log, partitionName)) {
    const last = new Map();
    for (const record of log) {
      const sent = sends.get(record.record);
      if (sent !== undefined && sent.event.topic !== record.topic) continue;
      if (sent === undefined) {
        yield { message: `${record.record} in ${partition} was sent by nobody`, shown: [record] };
        continue;
      }
      const { process } = sent.event;
      const before = last.get(process);
      if (before !== undefined && before.place > sent.place) {
        yield {
          message: `${partition}: ${record.record} stands behind ${before.event.record}, which ${process} had sent later`,
          shown: [sent.event, before.event, record],
        };
      }
      last.set(process, sent);
    }
  }
}
