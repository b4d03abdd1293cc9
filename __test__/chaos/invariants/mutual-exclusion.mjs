import { assignmentName } from '../history.mjs';

export const name = 'mutual exclusion';

/**
 * One partition of a group has one handler at a time. A member that the group has thrown out (it was stopped, or cut
 * off) may still be at a record that the next owner has been given; nothing can prevent that.
 */
export function* check(timeline) {
  for (const [partition, deliveries] of timeline.deliveriesOf) {
    const sorted = deliveries.toSorted((a, b) => a.begin.at - b.begin.at);
    let running;
    for (const next of sorted) {
      const overlaps = running !== undefined && running.until > next.begin.at;
      if (overlaps && !isExcused(timeline, running, next)) {
        yield {
          message: `${partition}: ${next.offset} was begun by ${next.member} while ${running.member} was at ${running.offset}`,
          shown: [running.begin, next.begin, ...(running.end ? [running.end] : [])],
          by: [running.begin.process, next.begin.process],
        };
      }
      if (running === undefined || next.until > running.until) running = next;
    }
  }
}

function isExcused(timeline, running, next) {
  if (assignmentName(running.begin) === assignmentName(next.begin)) return false;
  return timeline.isTroubled(running.begin.process, running.begin.at, next.begin.at);
}
