/** Sequence numbers are all of one length, so that every payload of a workload is. */
const FIRST_SEQUENCE = 1_000_000_000;

const ORDER = {
  orderId: '6f1c2a9e-8b0d-4c55-9a41-d0c7be2f1a37',
  customer: 'customer-004217',
  amount: 129.95,
  currency: 'EUR',
};

/**
 * Makes payloads such as an application sends, whose JSON text has `bytes` bytes: an order and a note of the length
 * that is left, or the note alone where there is no room for the order.
 *
 * @returns {(index: number) => { sequence: number }} the payload of the message with that number
 */
export function createPayload(bytes) {
  const spare = (fields) => bytes - JSON.stringify({ sequence: FIRST_SEQUENCE, ...fields, note: '' }).length;
  const order = spare(ORDER) < 0 ? {} : ORDER;
  const note = 'x'.repeat(Math.max(0, spare(order)));
  return (index) => ({ sequence: FIRST_SEQUENCE + index, ...order, note });
}

/** The number of the message that carries this payload. */
export function indexOf(payload) {
  return payload.sequence - FIRST_SEQUENCE;
}
