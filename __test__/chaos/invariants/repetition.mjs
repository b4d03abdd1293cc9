import { assignmentName, groupBy, partitionName } from '../history.mjs';

export const name = 'bounded repetition';

/** What a member has handled may take so long to be committed: the commit interval, and the commit's own way. */
const COMMIT_MS = 2000;

/**
 * A record that was handled comes again only where its offset could not be committed: the member was killed, stopped or
 * cut off within the time that a commit takes, or a broker was. After a graceful stop or an orderly rebalance nothing is
 * repeated.
 */
export function* check(timeline) {
  const done = timeline.deliveries.filter(({ end }) => end !== undefined && end.outcome !== 'failed');
  const records = groupBy(done, (one) => `${one.group} ${partitionName(one)} ${one.offset}`);
  for (const [record, deliveries] of records) {
    for (let index = 1; index < deliveries.length; index++) {
      const [first, again] = [deliveries[index - 1], deliveries[index]];
      const isSame = assignmentName(first.begin) === assignmentName(again.begin);
      const { process } = first.begin;
      if (
        !isSame &&
        timeline.isTroubled(
          process,
          first.end.at - COMMIT_MS,
          Math.min(again.begin.at, first.end.at + COMMIT_MS),
        )
      ) {
        continue;
      }
      yield {
        message: `${record} was handled again without a reason`,
        shown: [first.begin, first.end, again.begin],
      };
    }
  }
}
