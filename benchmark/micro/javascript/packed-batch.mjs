// A packed batch as the core hands it over, in the layout of crates/core/src/codec/incoming.rs: one range, no keys, ASCII only.

import {
  HEAD_WORDS,
  HEADER_WORDS,
  NAME_WORDS,
  RECORD_WORDS,
  VALUE_SHIFT,
} from '../../../target/modules/boundary/incoming.js';
import { ASCII, JSON_TEXT, TEXT } from '../../../target/modules/boundary/payload.js';

const ASSIGNMENT = 3;
const TIMESTAMP = 1_700_000_000_000;

/** Packs `records` records with this value and these headers; their offsets count from `firstOffset`. */
export function packBatch({ records, value, headers = {}, firstOffset = 0 }) {
  const kind = (value.startsWith('{') ? JSON_TEXT : TEXT) | ASCII;
  const headerNames = Object.keys(headers);
  const fields = new Fields();
  const recordWords = [];
  const headerWords = [];
  const nameWords = [];
  for (let sequence = 0; sequence < records; sequence++) {
    const [start, length] = fields.put(value);
    const firstHeader = headerWords.length / HEADER_WORDS;
    for (const [index, name] of headerNames.entries()) {
      // A name stands before the value of its first header.
      if (sequence === 0) nameWords.push(...fields.put(name));
      headerWords.push(index, ...fields.put(headers[name]), TEXT | ASCII);
    }
    const size = fields.length - start;
    const flags = kind << VALUE_SHIFT;
    recordWords.push(
      ASSIGNMENT,
      sequence,
      0,
      0,
      start,
      length,
      flags,
      firstHeader,
      headerNames.length,
      0,
      0,
      size,
    );
  }

  const ranges = [firstOffset + records, 1];
  const times = Array.from({ length: records }, (_, at) => [firstOffset + at, TIMESTAMP]).flat();
  const doubles = Float64Array.from([...times, ...ranges]);
  const numbers = Uint32Array.from([...recordWords, ...headerWords, ...nameWords]);
  const bytesAt = HEAD_WORDS * 4 + doubles.byteLength + numbers.byteLength;
  const head = Uint32Array.of(
    recordWords.length / RECORD_WORDS,
    headerWords.length / HEADER_WORDS,
    nameWords.length / NAME_WORDS,
    bytesAt,
    ranges.length / 2,
    0,
    0,
    0,
  );
  // A buffer of its own, like the binding's: one from Node's pool would be copied to be aligned.
  const packed = Buffer.alloc(bytesAt + fields.length);
  let at = 0;
  for (const part of [head, doubles, numbers]) {
    packed.set(new Uint8Array(part.buffer), at);
    at += part.byteLength;
  }
  packed.set(fields.bytes(), at);
  return packed;
}

/** The bytes at the end of a batch. */
class Fields {
  #parts = [];
  length = 0;

  /** Appends a text; returns its start and its length. */
  put(text) {
    const start = this.length;
    this.#parts.push(Buffer.from(text, 'latin1'));
    this.length += text.length;
    return [start, text.length];
  }

  bytes() {
    return Buffer.concat(this.#parts);
  }
}
