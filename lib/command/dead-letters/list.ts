import { CommandError, EXIT } from '../front.js';
import type { Letter } from './letter.js';
import { lookThrough } from './look-through.js';
import { counted, timeOf, type Task } from './task.js';

/** Letters of one origin and one cause. */
interface Row {
  readonly topic: string | null;
  readonly cause: string;
  count: number;
  first: number;
  last: number;
  /** The message of the last error. */
  reason: string;
}

/** `dead-letters list`: counts by origin and cause. */
export async function listLetters(task: Task): Promise<number> {
  const { topic, filter, given } = task;
  const rows = new Map<string, Row>();
  const isInterrupted = await lookThrough(task, ({ letters, done }) => {
    for (const letter of letters) {
      done(letter);
      if (filter.matches(letter)) count(rows, letter);
    }
  });
  if (isInterrupted) throw new CommandError('Interrupted before all was read: nothing is counted');
  const sorted = [...rows.values()].toSorted((a, b) => b.count - a.count);
  const total = sorted.reduce((sum, row) => sum + row.count, 0);
  if (given.values['json'] === true) {
    const causes = sorted.map((row) => ({
      ...row,
      first: new Date(row.first).toISOString(),
      last: new Date(row.last).toISOString(),
    }));
    process.stdout.write(`${JSON.stringify({ topic, total, causes })}\n`);
    return EXIT.ok;
  }
  process.stdout.write(`${topic}: ${counted(total, 'message')}\n`);
  for (const { topic: from, cause, count: many, first, last, reason } of sorted) {
    process.stdout.write(
      `\n${counted(many, 'message')} of ${from ?? 'an unknown topic'}, ${cause}\n  ${timeOf(first)} to ${timeOf(last)}\n  last: ${oneLine(reason)}\n`,
    );
  }
  return EXIT.ok;
}

function count(rows: Map<string, Row>, { cause, reason, message, origin }: Letter): void {
  const topic = origin?.topic ?? null;
  const key = JSON.stringify([topic, cause]);
  const at = Number(message.timestamp);
  const row = rows.get(key) ?? { topic, cause, count: 0, first: at, last: at, reason };
  rows.set(key, row);
  row.count++;
  row.first = Math.min(row.first, at);
  if (at >= row.last) Object.assign(row, { last: at, reason });
}

const oneLine = (text: string): string => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
