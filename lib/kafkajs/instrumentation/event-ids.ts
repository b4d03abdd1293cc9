/** Under this symbol the global object has the number that the next event gets. */
const NEXT = Symbol.for('nestjs-kafka-native.next-event-id');

/**
 * The number of an instrumentation event; as in kafkajs it counts from 0 in the process. A process may hold two copies of this package's
 * modules (its ESM and its CommonJS build), which must not give a number twice: so the count is theirs in common, not a module's.
 */
export function nextEventId(): number {
  const shared = globalThis as { [NEXT]?: number };
  const id = shared[NEXT] ?? 0;
  shared[NEXT] = id + 1;
  return id;
}
