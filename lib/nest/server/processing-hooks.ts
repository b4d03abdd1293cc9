import { INCOMPLETE, type Outcome } from '../../runner/record-handler.js';

/** NestJS's start hook: it has to call `done`, which starts the handling. */
type StartHook = (done: () => Promise<Outcome>) => unknown;

/**
 * Handles a record within NestJS's hooks. The start hook may return nothing, and start the handling without waiting
 * for it: the record is awaited all the same, or its offset would be committed too early.
 *
 * @param startHook absent before NestJS 11.1.4
 * @param endHook called when the record has ended, with success or failure
 * @param handle handles the record; calls `ended` itself if its outcome is {@link INCOMPLETE}
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

/** Calls `ended`, unless the outcome is INCOMPLETE: then it is called when all replies are written. */
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

/**
 * Waits for the hook's result, which decides the outcome, and then for the handling if the hook did not wait for it.
 */
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
