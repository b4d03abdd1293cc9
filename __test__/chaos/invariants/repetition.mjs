import { assignmentName, groupBy, deliveredAt, isDone } from '../history.mjs';

export const name = 'bounded repetition';

/** What a member has handled may take so long to be committed: the commit interval, and the commit's own way. */
const COMMIT_MS = 4000;

/**
 * A record that was handled comes again only where its offset could not be committed: the member was killed, stopped,
 * cut off or thrown out of the group within the time that a commit takes, or a broker was away. After a graceful stop or
 * an orderly rebalance nothing is repeated.
 */
export function* check(timeline) {
  const records = groupBy(timeline.deliveries.filter(isDone), deliveredAt);
  for (const [record, deliveries] of records) {
    for (let index = 1; index < deliveries.length; index++) {
      const [first, again] = [deliveries[index - 1], deliveries[index]];
      if (isExcused(timeline, first, again)) continue;
      yield {
        message: `${record} was handled again without a reason`,
        shown: [first.begin, first.end, again.begin],
        by: [first.begin.process, again.begin.process],
      };
    }
  }
}

/** How often records that were handled came again, with a reason or without. */
export function repeated(timeline) {
  const records = groupBy(timeline.deliveries.filter(isDone), deliveredAt);
  return [...records.values()].reduce((sum, deliveries) => sum + deliveries.length - 1, 0);
}

function isExcused(timeline, first, again) {
  const { process } = first.begin;
  const isSame = assignmentName(first.begin) === assignmentName(again.begin);
  if (isSame && !timeline.wasExpelled(process, first.end.at, again.begin.at)) return false;
  const until = Math.min(again.begin.at, first.end.at + COMMIT_MS);
  return timeline.isTroubled(process, first.end.at - COMMIT_MS, until);
}
