/**
 * What the raw candidates have in common. Each is a file of `raw/` with
 *
 * - `createProducer({ brokers, topic, acks })`, a connected producer: `send(messages)` resolves when as many replicas as
 *   `acks` says have the messages, each with a `value` and maybe `key`, `partition` and `headers`, all texts; `close()`;
 * - `createConsumer({ brokers, topic, group, batches, fetch, autoCommit }, handle)`, a consumer from the beginning that
 *   fetches as `fetch` says: `start()` begins,
 *   `handle` is called with the value of each message in turn, `failed` rejects when it cannot go on; `close()`. It
 *   takes messages one by one, or with `batches` as its client hands them over in batches.
 */

/** The module of a raw candidate. */
export function loadRaw(candidate) {
  return import(`./raw/${candidate}.mjs`);
}

/** A promise for `failed`, and what rejects it. */
export function failure() {
  let fail;
  const failed = new Promise((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined); // Nobody may be waiting for it yet.
  return { failed, fail };
}
