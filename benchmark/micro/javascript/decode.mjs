// Reading a packed batch (lib/codec/incoming.ts), each time a fresh one: names of headers are decoded once per batch.

import { deepStrictEqual, strictEqual } from 'node:assert';
import { IncomingBatch } from '../../../target/modules/codec/incoming.js';
import { packBatch } from './packed-batch.mjs';
import { HEADERS, JSON_TEXT, OBJECT, RECORDS, TEXT } from './sample.mjs';

const FIRST_OFFSET = 1_000_000;
const sized = { records: RECORDS, firstOffset: FIRST_OFFSET };
const ofJson = packBatch({ ...sized, value: JSON_TEXT });
const ofText = packBatch({ ...sized, value: TEXT });
const withHeaders = packBatch({ ...sized, value: JSON_TEXT, headers: HEADERS });

/** Reads a whole batch; the values are kept until its end, as tasks keep records. */
function reading(packed, read) {
  const kept = Array.from({ length: RECORDS });
  return () => {
    const batch = new IncomingBatch(packed);
    for (let index = 0; index < RECORDS; index++) kept[index] = read(batch, index);
    return kept;
  };
}

/** What is measured, by name; each handles {@link RECORDS} records. */
export const decode = {
  'a batch and its runs, nothing of its records': () => new IncomingBatch(ofJson).partitions(),
  offset: reading(ofJson, (batch, index) => batch.offset(index)),
  'value as a Buffer': reading(ofJson, (batch, index) => batch.value(index)),
  'value as text': reading(ofJson, (batch, index) => batch.value(index).toString()),
  'text value decoded': reading(ofText, (batch, index) => batch.decodedValue(index)),
  'JSON value decoded': reading(ofJson, (batch, index) => batch.decodedValue(index)),
  'JSON.parse alone': reading(ofJson, () => JSON.parse(JSON_TEXT)),
  '3 headers as Buffers': reading(withHeaders, (batch, index) => batch.headers(index)),
  '3 headers decoded': reading(withHeaders, (batch, index) => batch.decodedHeaders(index)),
  'JSON value decoded, 3 headers decoded, offset': reading(withHeaders, (batch, index) => [
    batch.decodedValue(index),
    batch.decodedHeaders(index),
    batch.offset(index),
  ]),
};

/** Checks that the package reads what was packed, so that the right thing is measured. */
export function checkDecoding() {
  const batch = new IncomingBatch(withHeaders);
  strictEqual(new IncomingBatch(ofText).decodedValue(0), TEXT);
  const last = RECORDS - 1;
  deepStrictEqual(batch.decodedValue(last), OBJECT);
  deepStrictEqual(batch.decodedHeaders(last), HEADERS);
  deepStrictEqual([batch.length, batch.offset(last)], [RECORDS, String(FIRST_OFFSET + last)]);
  deepStrictEqual(batch.partitions(), [
    { assignment: 3, start: 0, end: RECORDS, highWatermark: FIRST_OFFSET + RECORDS, broker: 1 },
  ]);
}
