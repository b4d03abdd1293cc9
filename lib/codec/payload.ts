import { ASCII, BINARY, JSON_TEXT, KIND_MASK, NULL } from '../boundary/payload.js';

/** Buffer's own slicing functions, which are faster than `toString`, because they need not look at the encoding. */
interface SlicingBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

/** The text of a field. */
function text(buffer: Buffer, start: number, end: number, kind: number): string {
  return (kind & ASCII) !== 0
    ? (buffer as SlicingBuffer).latin1Slice(start, end)
    : (buffer as SlicingBuffer).utf8Slice(start, end);
}

/** A field as NestJS's `KafkaParser` decodes it: null, Buffer, parsed JSON, or text. */
export function decode(buffer: Buffer, start: number, length: number, kind: number): unknown {
  switch (kind & KIND_MASK) {
    case NULL:
      return null;
    case BINARY:
      return buffer.subarray(start, start + length);
    case JSON_TEXT:
      return parseOrKeep(text(buffer, start, start + length, kind));
    default:
      return text(buffer, start, start + length, kind);
  }
}

/** The parsed JSON, or the text itself if it is malformed. */
export function parseOrKeep(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
