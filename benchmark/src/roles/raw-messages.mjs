/**
 * The messages of the raw workloads: `make` makes the one with a number, `indexOf` finds the number of a value.
 */
import { createPayload, indexOf } from './payload.mjs';

/** A JSON text such as an application sends. */
function orders(bytes) {
  const payload = createPayload(bytes);
  return {
    make: (index) => ({ value: JSON.stringify(payload(index)) }),
    indexOf: (value) => indexOf(JSON.parse(value.toString())),
  };
}

const PREFIX = 'value-';

/** What rivals send: a few bytes with a key and a header. `bytes` tells the value that is produced from the one that is consumed. */
function small(bytes) {
  if (bytes === 3) {
    const headers = { a: '123', b: '456' };
    return { make: (index) => ({ key: `111-${index}`, value: '222', partition: 0, headers }) };
  }
  return {
    make: (index) => ({
      key: `key-${index}`,
      value: `${PREFIX}${index}`,
      headers: { [`header-key-${index}`]: `header-value-${index}` },
    }),
    indexOf: (value) => Number(value.toString('latin1', PREFIX.length)),
  };
}

const FORMS = { orders, small };

/** @param {{ form?: 'orders' | 'small', payloadBytes: number }} workload */
export function messagesOf({ form = 'orders', payloadBytes }) {
  return FORMS[form](payloadBytes);
}
