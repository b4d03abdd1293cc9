import { INCOMPLETE, type Outcome } from '../../runner/record-handler.js';

/** NestJS's start hook: it is to call `done`, which starts the handling. */
type StartHook = (done: () => Promise<Outcome>) => unknown;

/**
 * Handles a record within NestJS's hooks. The start hook's type lets it return nothing, and some start the handling without waiting for
 * it: then the record waits all the same, or its offset would count too early.
 *
 * @param startHook absent before NestJS 11.1.4
 * @param endHook called when the record has ended, whatever has come of it
 * @param handle handles the record; it calls `ended` itself where its outcome is {@link INCOMPLETE}
 */
export function withinHooks(
  startHook: StartHook | undefined,
  endHook: () => void,
  handle: (ended: () => void) => Promise<Outcome>,
): Promise<Outcome> | undefined {
  let handled = undefined as Promise<Outcome> | undefined;
  const done = (): Promise<Outcome> => (handled = untilEnd(handle(endHook), endHook));
  if (startHook === undefined) return done();
  const returned = startHook(done);
  return returned === undefined || returned === handled ? handled : processed(returned, handled);
}

/** Tells of the end of a record, unless it is told when its replies are all there. */
async function untilEnd(handled: Promise<Outcome>, ended: () => void): Promise<Outcome> {
  let outcome: Outcome;
  try {
    outcome = await handled;
  } catch (error) {
    ended();
    throw error;
  }
  if (outcome !== INCOMPLETE) ended();
  return outcome;
}

/** Waits for what a hook returned, whose outcome counts, and then for a handling that the hook did not wait for. */
async function processed(returned: unknown, handled: Promise<Outcome> | undefined): Promise<Outcome> {
  let isUnderWay = handled !== undefined;
  let outcome = undefined as Outcome;
  const settle = (value?: Outcome): void => {
    isUnderWay = false;
    outcome = value;
  };
  handled?.then(settle, () => settle());
  await returned;
  return isUnderWay ? await handled : outcome;
}
