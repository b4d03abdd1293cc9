// Writing into a tick's outgoing buffer (lib/codec/outgoing.ts), which is handed over in several flushes.

import { strictEqual } from 'node:assert';
import { ADVANCE, FINISHED, ACK_WORDS } from '../../../target/modules/boundary/acks.js';
import { REPLY_DISPOSED } from '../../../target/modules/boundary/outgoing.js';
import { AckBuffer } from '../../../target/modules/codec/acks.js';
import { OutgoingBuffer } from '../../../target/modules/codec/outgoing.js';
import { serialize } from '../../../target/modules/nest/serialize.js';
import { HEADERS, JSON_TEXT, OBJECT, RECORDS } from './sample.mjs';

const TOPIC = 1;
const REPLY_TOPIC = 2;
const ASSIGNMENT = 3;
const MESSAGE = { key: 'customer-1', value: OBJECT, headers: HEADERS };

let bytesWritten = 0;
const outgoing = new OutgoingBuffer((_words, _wordCount, _bytes, byteCount) => {
  bytesWritten += byteCount;
});

let wordsWritten = 0;
const acks = new AckBuffer((_words, wordCount) => {
  wordsWritten = wordCount;
});

function writing(write) {
  return () => {
    for (let index = 0; index < RECORDS; index++) write(index);
    outgoing.flush();
    acks.flush();
  };
}

const send = (record) => outgoing.send(TOPIC, 7, 0, outgoing.read([record], 'topic'));
const reply = (index) => outgoing.reply(ASSIGNMENT, index, REPLY_DISPOSED, serialize(OBJECT));
const acknowledge = (index) => acks.ack(ASSIGNMENT, index, ADVANCE | FINISHED, 1);

/** What is measured, by name; each handles {@link RECORDS} records. */
export const encode = {
  'send of text': writing(() => send({ value: JSON_TEXT })),
  'send of an object': writing(() => send(serialize(OBJECT))),
  'send of an object with key and 3 headers': writing(() => send(serialize(MESSAGE))),
  'request with an object': writing((index) =>
    outgoing.request(TOPIC, index, 5, REPLY_TOPIC, 3, serialize(OBJECT)),
  ),
  'reply with an object': writing(reply),
  'acknowledgement of a record': writing(acknowledge),
  'reply with an object, and its acknowledgement': writing((index) => {
    reply(index);
    acknowledge(index);
  }),
  'JSON.stringify alone': writing(() => JSON.stringify(OBJECT)),
};

/** Checks that a call writes all records, so that the right thing is measured. */
export function checkEncoding() {
  bytesWritten = 0;
  encode['send of an object']();
  strictEqual(bytesWritten, RECORDS * JSON_TEXT.length);
  encode['acknowledgement of a record']();
  // Acknowledgements of consecutive records are merged.
  strictEqual(wordsWritten, ACK_WORDS);
}
