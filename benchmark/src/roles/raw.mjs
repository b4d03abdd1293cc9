/**
 * What the raw candidates have in common. Each is a file of `raw/` with
 *
 * - `createProducer({ brokers, topic })`, a connected producer: `send(values)` resolves when all in-sync replicas have
 *   the values, each a JSON text; `close()`;
 * - `createConsumer({ brokers, topic, group, batches }, handle)`, a consumer from the beginning: `start()` begins,
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
