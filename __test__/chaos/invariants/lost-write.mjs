import { partitionName } from '../history.mjs';

export const name = 'lost write';

/** What was acknowledged is in the log, where it was said to be; what was definitely refused is not. */
export function* check(timeline) {
  const sends = new Map(timeline.of('send').map((event) => [`${event.process} ${event.send}`, event]));
  const outcomes = new Map(timeline.of('transaction').map((event) => [event.transaction, event.outcome]));
  for (const sent of timeline.of('sent')) {
    const send = sends.get(`${sent.process} ${sent.send}`);
    if (timeline.isOfEarlierLife(send.topic, send.at)) continue;
    const by = [send.process];
    const found = timeline.records.get(send.record) ?? [];
    const outcome = send.transaction === undefined ? 'committed' : outcomes.get(send.transaction);
    if (sent.outcome === 'acknowledged' && outcome === 'committed') {
      const isThere = found.some(
        (record) =>
          record.topic === send.topic &&
          record.partition === sent.partition &&
          // A record that a broker had already when it was sent again has an offset that nobody is told.
          (record.offset === sent.offset || sent.offset < 0),
      );
      if (isThere) continue;
      const where = `${partitionName({ topic: send.topic, partition: sent.partition })} at ${sent.offset}`;
      yield {
        message: `${send.record} was acknowledged in ${where} and is not there`,
        shown: [send, sent, ...found],
        by,
      };
    } else if ((sent.outcome === 'refused' || outcome === 'aborted') && found.length > 0) {
      const what = sent.outcome === 'refused' ? 'refused' : 'part of an aborted transaction';
      yield { message: `${send.record} was ${what} and is in the log`, shown: [send, sent, ...found], by };
    }
  }
}
