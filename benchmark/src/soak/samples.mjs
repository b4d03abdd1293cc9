/**
 * The samples of a soak, and figures computed from them. Samples are rows of numbers, because a result has thousands
 * of them.
 */
import { slope } from '../statistics.mjs';

/** The columns of a row. Memory is in MiB. */
export const COLUMNS = [
  'seconds',
  'clientResident',
  'clientHeapUsed',
  'clientExternal',
  'serverResident',
  'serverHeapUsed',
  'serverExternal',
  'sent',
  'answered',
];

/** The curves that the tables and the pictures are about. */
export const CURVES = [
  { process: 'client', memory: 'resident', column: 'clientResident' },
  { process: 'client', memory: 'heap used', column: 'clientHeapUsed' },
  { process: 'client', memory: 'external', column: 'clientExternal' },
  { process: 'server', memory: 'resident', column: 'serverResident' },
  { process: 'server', memory: 'heap used', column: 'serverHeapUsed' },
  { process: 'server', memory: 'external', column: 'serverExternal' },
];

/** The minutes whose memory the table shows, as far as the soak went. */
export const MINUTES = [1, 5, 10, 20];

/** How long a process may grow while its caches and its heap fill. */
export const SETTLED_SECONDS = 60;

/** A row from the data of both processes after `seconds`. */
export function toRow(seconds, { client, server }) {
  return [
    Math.round(seconds * 1000) / 1000,
    client.residentMiB,
    client.heapUsedMiB,
    client.externalMiB,
    server.residentMiB,
    server.heapUsedMiB,
    server.externalMiB,
    client.sent,
    client.answered,
  ];
}

/** The values of one column, each with its time in seconds. */
export function curve(rows, column) {
  const at = COLUMNS.indexOf(column);
  return rows.map((row) => ({ seconds: row[0], value: row[at] }));
}

/**
 * What each curve does: its value at every minute of `MINUTES`, by the sample nearest to it, at the end, at most, and
 * how it grows once it has settled, in MiB per hour.
 */
export function describeGrowth(rows) {
  const entries = CURVES.map(({ column }) => {
    const points = curve(rows, column);
    const settled = points.filter(({ seconds }) => seconds >= SETTLED_SECONDS);
    const perSecond = slope(settled.map(({ seconds, value }) => [seconds, value]));
    return [
      column,
      {
        minutes: Object.fromEntries(MINUTES.map((minute) => [minute, valueAt(points, minute * 60)])),
        end: points.at(-1)?.value ?? null,
        most: points.reduce((most, { value }) => (most === null || value > most ? value : most), null),
        perHour: perSecond === null ? null : perSecond * 3600,
      },
    ];
  });
  return Object.fromEntries(entries);
}

/** The value of the sample nearest to a moment; null if it is more than a second after the last sample. */
function valueAt(points, moment) {
  const last = points.at(-1);
  if (last === undefined || last.seconds < moment - 1) return null;
  const distance = ({ seconds }) => Math.abs(seconds - moment);
  return points.reduce((nearest, point) => (distance(point) < distance(nearest) ? point : nearest)).value;
}
