import type { NativeSubscription } from '../../native/index.js';
import { hasGaps, type TopicHandling } from '../../runner/topic-handling.js';

/** The core's default limits for a partition. */
const [USUAL_RECORDS, USUAL_BYTES] = [1024, 1024 * 1024];

/** How a topic's records are handled, in the core's form. */
export function nativeHandling(handling: TopicHandling): NonNullable<NativeSubscription['handling']> {
  const { concurrency, routing, batch } = handling;
  return {
    order: concurrency.order,
    concurrency: concurrency.max,
    shared: routing?.shared ?? false,
    rest: routing?.rest ?? true,
    transactional: handling.isTransactional ?? false,
    ...(hasGaps(handling) && { window: concurrency.window }),
    // Room for one batch that is handled and the next one.
    ...(batch && {
      mostRecords: Math.max(USUAL_RECORDS, batch.maxMessages * 2),
      mostBytes: Math.max(USUAL_BYTES, batch.maxBytes * 2),
    }),
    ...(routing && {
      routes: routing.filters.map((filters) => ({ headers: filters.map((filter) => ({ ...filter })) })),
    }),
  };
}
