import type { ConsumerEvent, ProducerEvent } from '../boundary/events.js';

/** Events of the core, beside records and delivery reports. */
export type CoreEvent = ConsumerEvent | ProducerEvent;

/** The events of these types. */
export type EventOf<Type extends CoreEvent['type']> = Extract<CoreEvent, { type: Type }>;

/** Marks the end of a `switch` over all events: it does not compile if an event of the core is not handled. */
export function allHandled(_event: never): void {
  // At run time an unknown event can come only from a binary of another version; it is ignored.
}
