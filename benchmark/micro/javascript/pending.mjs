// The requests that wait for replies (lib/nest/client/pending-requests.ts), with one of them waiting and with many.

import { PendingRequests } from '../../../target/modules/nest/client/pending-requests.js';
import { RECORDS } from './sample.mjs';

const MANY = 10_000;
const ORIGIN = { topic: 'orders.reply', partition: 3 };
const answer = () => undefined;

/** Each request takes a slot, is answered and frees the slot, while all the others wait. */
function requesting(waiting) {
  const pending = new PendingRequests();
  for (let other = 1; other < waiting; other++) pending.open(answer, ORIGIN);
  return () => {
    for (let index = 0; index < RECORDS; index++) {
      const slot = pending.open(answer, ORIGIN);
      const generation = pending.generation(slot);
      pending.find(slot, generation)();
      pending.close(slot, generation);
    }
  };
}

/** What is measured, by name; each handles {@link RECORDS} requests. */
export const pending = {
  'open, find, close: 1 waiting': requesting(1),
  'open, find, close: 10,000 waiting': requesting(MANY),
};
