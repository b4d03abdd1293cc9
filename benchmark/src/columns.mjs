/** The columns of the tables: which figure of the summary each shows, and how. */
import { grouped, optional, percent, significant, times } from './format.mjs';

/** One figure of the summary in a column, which is left out of a table without such a figure if it is rare. */
const column = (title, figure, format, { ratio = true, isRare = false } = {}) => ({
  title,
  isNeeded: (all) =>
    !isRare || all.some((figures) => figures[figure] !== null && figures[figure] !== undefined),
  cell: (figures) => optional(figures[figure], format),
  ratio: (ratios) => (ratio ? optional(ratios[figure], times) : ''),
});

/** The client's and the server's figure in one column. */
const both = (title, client, server, format) => ({
  title,
  isNeeded: () => true,
  cell: (figures) => [client, server].map((figure) => optional(figures[figure], format)).join(' / '),
  ratio: () => '',
});

/** All columns. */
export const COLUMNS = [
  column('messages/s', 'perSecond', grouped),
  column('p50 ms', 'p50', significant),
  column('p99 ms', 'p99', significant),
  column('p99.9 ms', 'p999', significant),
  column('client CPU µs', 'clientCpu', significant),
  column('server CPU µs', 'serverCpu', significant),
  column('broker CPU µs', 'brokerCpu', significant),
  both('peak MiB', 'clientMiB', 'serverMiB', grouped),
  both('idle MiB', 'clientIdleMiB', 'serverIdleMiB', grouped),
  both('threads', 'clientThreads', 'serverThreads', grouped),
  column('listening s', 'listeningSeconds', significant, { isRare: true }),
  column('first s', 'firstSeconds', significant, { ratio: false }),
  column('machine idle', 'idleShare', percent, { ratio: false }),
  column('others', 'otherShare', percent, { ratio: false }),
];

/** The alignment of a table's columns: workload and candidate, then these. */
export function alignment(columns) {
  return ['left', 'left', ...columns.map(() => 'right')];
}
