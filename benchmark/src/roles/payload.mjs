/** Sequence numbers are all of one length, so that every payload of a workload is. */
const FIRST_SEQUENCE = 1_000_000_000;

/**
 * Makes payloads such as an application sends, whose JSON text has `bytes` bytes.
 *
 * @returns {(index: number) => { sequence: number }} the payload of the message with that number
 */
export function createPayload(bytes) {
  const order = {
    orderId: '6f1c2a9e-8b0d-4c55-9a41-d0c7be2f1a37',
    customer: 'customer-004217',
    amount: 129.95,
    currency: 'EUR',
    note: '',
  };
  const bare = JSON.stringify({ sequence: FIRST_SEQUENCE, ...order }).length;
  const note = 'x'.repeat(Math.max(0, bytes - bare));
  return (index) => ({ sequence: FIRST_SEQUENCE + index, ...order, note });
}

/** The number of the message that carries this payload. */
export function indexOf(payload) {
  return payload.sequence - FIRST_SEQUENCE;
}
