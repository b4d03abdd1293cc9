import { createHash } from 'node:crypto';
import { wrongUsage, type CommandOption, type Given } from '../front.js';
import { lastOf, type Letter } from './letter.js';

/** The options that select messages. */
export const FILTER_OPTIONS = {
  header: {
    type: 'string',
    multiple: true,
    value: 'name[=value]',
    doc: 'Only messages with this header, or with this value of it.',
  },
  cause: {
    type: 'string',
    value: 'text',
    doc: 'Only messages with this class of error, or with this text in its message.',
  },
  since: {
    type: 'string',
    value: 'time',
    doc: 'Only messages put aside since then: 2026-01-31T12:00Z, or 30m, 2h, 7d ago.',
  },
  partition: {
    type: 'string',
    multiple: true,
    value: 'number',
    doc: 'Only messages of this partition of the dead-letter topic.',
  },
} as const satisfies Record<string, CommandOption>;

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Selects messages. */
export interface Filter {
  matches(letter: Letter): boolean;
  /** A name for the filter, which is the same for the same options. */
  readonly name: string;
}

/**
 * The filter that the options describe.
 *
 * @throws CommandError for an invalid time or number
 */
export function filterOf({ values }: Given, now: number): Filter {
  const headers = ((values['header'] as string[] | undefined) ?? []).map((text) => text.split(/=(.*)/s));
  const cause = values['cause'] as string | undefined;
  const since = values['since'] === undefined ? undefined : timeOf(values['since'] as string, now);
  const partitions = (values['partition'] as string[] | undefined)?.map(partitionOf);
  const described = [values['header'], cause, values['since'], partitions].map((one) => one ?? null);
  return {
    name: createHash('sha256').update(JSON.stringify(described)).digest('hex').slice(0, 8),
    matches: (letter) =>
      (partitions === undefined || partitions.includes(letter.partition)) &&
      (since === undefined || Number(letter.message.timestamp) >= since) &&
      (cause === undefined || letter.cause === cause || letter.reason.includes(cause)) &&
      headers.every(([name = '', value]) => {
        const found = lastOf(letter.message.headers ?? {}, name);
        return found !== undefined && (value === undefined || found.toString() === value);
      }),
  };
}

function timeOf(text: string, now: number): number {
  const [, count, unit = ''] = /^(\d+)(s|m|h|d)$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * (UNITS[unit] as number);
  // Date.parse() takes a number without a unit for a year or a month.
  const time = /^\d{4}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw wrongUsage(
    `--since takes a time like 2026-01-31T12:00Z, or 30m, 2h, 7d; not ${JSON.stringify(text)}`,
  );
}

function partitionOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw wrongUsage(`--partition takes a number; not ${JSON.stringify(text)}`);
}
