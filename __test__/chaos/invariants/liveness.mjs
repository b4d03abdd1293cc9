import { groupBy, partitionName } from '../history.mjs';

export const name = 'liveness after healing';

/** How soon after the last fault every partition goes on, and how soon a process that was asked to leave has left. */
const PROGRESS_MS = 30_000;

/** After the last fault each partition that has something to be read goes on, and every process ends by itself. */
export function* check(timeline) {
  const healed = timeline.of('healed').at(-1);
  if (healed !== undefined) {
    for (const [, deliveries] of groupBy(
      timeline.deliveries,
      (one) => `${one.group} ${partitionName(one)}`,
    )) {
      const { group } = deliveries[0];
      const log = timeline.partitions.get(partitionName(deliveries[0])) ?? [];
      const done = deliveries.filter(({ end }) => end !== undefined && end.outcome !== 'failed');
      const left = log.filter(
        ({ offset }) => !done.some((one) => one.offset === offset && one.end.at <= healed.at),
      );
      const goesOn = done.some(({ end }) => end.at > healed.at && end.at <= healed.at + PROGRESS_MS);
      if (left.length === 0 || goesOn) continue;
      yield {
        message: `${group}: ${partitionName(deliveries[0])} did not go on within ${PROGRESS_MS / 1000} s of the last fault`,
        shown: [healed, left[0], deliveries.at(-1).begin],
      };
    }
  }
  for (const exit of timeline.of('exit')) {
    if (exit.how !== 'hung') continue;
    yield { message: `${exit.process} was asked to end and did not`, shown: [exit] };
  }
}
