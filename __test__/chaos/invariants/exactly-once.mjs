import { groupBy, partitionName } from '../history.mjs';

export const name = 'exactly once';

/** What is read and written in one transaction is written once for each record that was read, and in their order. */
export function* check(timeline, { transforms = [] } = {}) {
  for (const { input, output } of transforms) {
    const read = groupBy(
      timeline.log.filter(({ topic }) => topic === input),
      ({ partition }) => partition,
    );
    const written = groupBy(
      timeline.log.filter(({ topic }) => topic === output),
      ({ partition }) => partition,
    );
    for (const partition of new Set([...read.keys(), ...written.keys()])) {
      yield* compare(read.get(partition) ?? [], written.get(partition) ?? [], output);
    }
  }
}

function* compare(read, written, output) {
  const copies = groupBy(written, ({ record }) => record);
  const known = new Map(read.map((record) => [record.record, record]));
  for (const record of read) {
    const own = copies.get(record.record) ?? [];
    if (own.length === 1) continue;
    const times = own.length === 0 ? 'not' : `${own.length} times`;
    yield {
      message: `${record.record}, ${partitionName(record)} at ${record.offset}, is ${times} in ${output}`,
      shown: [record, ...own],
    };
  }
  let before;
  for (const copy of written) {
    const record = known.get(copy.record);
    if (record === undefined) {
      yield { message: `${copy.record} in ${partitionName(copy)} was read by nobody`, shown: [copy] };
      continue;
    }
    if (before !== undefined && before.offset > record.offset) {
      yield {
        message: `${partitionName(copy)}: ${copy.record} stands behind ${before.record}, which comes later in ${partitionName(record)}`,
        shown: [record, before, copy],
      };
    }
    before = record;
  }
}
