import type { ConsumerEvent, ProducerEvent } from '../boundary/events.js';

/** What the core tells of, beside records and reports. */
export type CoreEvent = ConsumerEvent | ProducerEvent;

/** The events of these types. */
export type EventOf<Type extends CoreEvent['type']> = Extract<CoreEvent, { type: Type }>;

/** Stands where all events have been handled: does not compile when the core has one more. */
export function allHandled(_event: never): void {
  // One that is unknown is of another version's binary, which is not what this was built with.
}
