import { setTimeout as delay } from 'node:timers/promises';
import type { NativeConsumer } from '../../native/index.js';

/** Shortest and longest time between two looks for missing topics, in milliseconds. */
const [FIRST_LOOK, LONGEST_LOOK] = [250, 5000];

/**
 * Looks for missing topics until all have appeared or the consumer is closed. librdkafka itself would look only every
 * `metadataMaxAge`.
 */
export async function watchForTopics(
  native: NativeConsumer,
  topics: readonly string[],
  requestTimeout: number,
  isClosed: () => boolean,
  appeared: (found: string[], missing: string[]) => Promise<void>,
): Promise<void> {
  let missing = [...topics];
  let wait = FIRST_LOOK;
  while (missing.length > 0) {
    await delay(wait, undefined, { ref: false });
    if (isClosed()) return;
    wait = Math.min(wait * 2, LONGEST_LOOK);
    const ensured = await native.ensureTopics(missing, false, requestTimeout);
    if (isClosed()) return;
    // A broker that does not answer now is asked again later.
    if (!('missing' in ensured) || ensured.missing.length === missing.length) continue;
    const found = missing.filter((topic) => !ensured.missing.includes(topic));
    missing = ensured.missing;
    wait = FIRST_LOOK;
    await appeared(found, missing);
  }
}
