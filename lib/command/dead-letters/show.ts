import { isUtf8 } from 'node:buffer';
import { countOf } from '../count.js';
import { EXIT } from '../front.js';
import type { Letter } from './letter.js';
import { lookThrough } from './look-through.js';
import { timeOf, type Task } from './task.js';

const DEFAULT_MAX = 10;

/** `dead-letters show`: the messages with their headers. */
export async function showLetters(task: Task): Promise<number> {
  const { filter, given } = task;
  const max = countOf(given, 'max') ?? DEFAULT_MAX;
  const write = given.values['json'] === true ? writeJson : writeText;
  let shown = 0;
  const isInterrupted = await lookThrough(task, ({ letters, done }, interruption) => {
    for (const letter of letters) {
      if (shown >= max || interruption.signal.aborted) return;
      done(letter);
      if (!filter.matches(letter)) continue;
      write(letter);
      if (++shown === max) interruption.end();
    }
  });
  return isInterrupted ? EXIT.failed : EXIT.ok;
}

function writeText({ partition, message, cause, reason, origin }: Letter): void {
  const from = origin ? `${origin.topic} [${origin.partition ?? '?'}] ${origin.offset ?? ''}` : 'unknown';
  const lines = [
    `[${partition}] ${message.offset}  ${timeOf(Number(message.timestamp))}  from ${from}`,
    `  ${cause}: ${JSON.stringify(reason)}`,
    `  key    ${textOf(message.key)}`,
    `  value  ${textOf(message.value)}`,
    ...Object.entries(message.headers ?? {}).flatMap(([name, value]) =>
      [value].flat().map((one) => `  ${name}: ${textOf(one ?? null)}`),
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

function writeJson({ partition, message, cause, reason, origin, replays }: Letter): void {
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, jsonOf(one ?? null)]),
  );
  const { offset, timestamp, key, value } = message;
  const fields = { partition, offset, timestamp, cause, reason, origin: origin ?? null, replays };
  process.stdout.write(`${JSON.stringify({ ...fields, key: jsonOf(key), value: jsonOf(value), headers })}\n`);
}

/** Text in quotes; bytes that are not UTF-8 as hexadecimal digits. */
function textOf(value: Buffer | string | null): string {
  if (value === null) return 'null';
  const bytes = Buffer.from(value);
  return isUtf8(bytes) ? JSON.stringify(bytes.toString()) : `0x${bytes.toString('hex')}`;
}

/** Text as a string, other bytes as `{ base64 }`. */
function jsonOf(value: Buffer | string | null): unknown {
  if (value === null) return null;
  const bytes = Buffer.from(value);
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
}
