/** The property of the global object with the next event's number. */
const NEXT = Symbol.for('nestjs-kafka-native.next-event-id');

/**
 * The number of an instrumentation event; as in kafkajs it counts from 0 in the process. A process may hold two
 * copies of this package's modules (its ESM and its CommonJS build), which must not use a number twice, so they share
 * the counter.
 */
export function nextEventId(): number {
  const shared = globalThis as { [NEXT]?: number };
  const id = shared[NEXT] ?? 0;
  shared[NEXT] = id + 1;
  return id;
}
