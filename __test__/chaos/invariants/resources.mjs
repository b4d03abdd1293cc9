import { groupBy } from '../history.mjs';

export const name = 'resources';

/** What may differ by chance: a thread of Node's pool, a descriptor of a stream. */
const SLACK = { threads: 2, descriptors: 3, residentMiB: 64 };

/** Threads, descriptors and memory of a process are back to where they were before its clients were made. */
export function* check(timeline) {
  for (const [process, [before, after]] of groupBy(timeline.of('resources'), (event) => event.process)) {
    if (after === undefined) continue;
    for (const [what, slack] of Object.entries(SLACK)) {
      if (after[what] <= before[what] + slack) continue;
      yield {
        message: `${process} kept ${what}: ${before[what]} before, ${after[what]} after`,
        shown: [before, after],
        by: [process],
      };
    }
  }
}
