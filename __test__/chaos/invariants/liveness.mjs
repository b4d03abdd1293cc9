import { isDone, partitionName } from '../history.mjs';
import { suspects } from './neighbours.mjs';

export const name = 'liveness after healing';

/** How soon after the last fault every partition goes on. */
const PROGRESS_MS = 30_000;

/** After the last fault each partition that has something to be read goes on, and every process ends by itself. */
export function* check(timeline) {
  const healed = timeline.of('healed').at(-1);
  if (healed !== undefined) {
    for (const deliveries of timeline.deliveriesOf.values()) {
      const [{ group }] = deliveries;
      const partition = partitionName(deliveries[0]);
      const log = timeline.partitions.get(partition) ?? [];
      const done = deliveries.filter(isDone);
      const before = new Set(done.filter(({ end }) => end.at <= healed.at).map(({ offset }) => offset));
      const left = log.find(({ offset }) => !before.has(offset));
      const goesOn = done.some(({ end }) => end.at > healed.at && end.at <= healed.at + PROGRESS_MS);
      if (left === undefined || goesOn) continue;
      yield {
        message: `${group}: ${partition} did not go on within ${PROGRESS_MS / 1000} s of the last fault`,
        shown: [healed, left, deliveries.at(-1).begin],
        by: suspects(timeline, group, partition, left),
      };
    }
  }
  for (const exit of timeline.of('exit')) {
    const by = [exit.process];
    if (exit.how === 'hung') {
      yield { message: `${exit.process} was asked to end and did not`, shown: [exit], by };
    } else if (exit.how === 'crashed') {
      const said = timeline.of('unhandled').filter(({ process }) => process === exit.process);
      yield { message: `${exit.process} ended without being asked`, shown: [...said, exit], by };
    }
  }
}
