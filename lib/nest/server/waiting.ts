import type { FailurePolicy } from '../../runner/failure-policy.js';
import { messageOf } from '../../values/describe.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import { isWaiting, waitsFor } from './dead-letter.js';
import { originalError } from './original-errors.js';
import { placeOf } from './origin.js';

/** The part of every failure policy that is about messages which wait for something else: it says nothing of them that they come again. */
export function waitingPolicy(logger: GuardedLogger): Pick<FailurePolicy, 'counts' | 'onWait'> {
  return {
    counts: (outcome) => !waits(outcome),
    onWait: (outcome, task, batch, index, count) => {
      // Logged ever more rarely (at waits 1, 2, 4, 8, …), because the registry or the store may be down for hours.
      if (!Number.isInteger(Math.log2(count))) return;
      const error = originalError(outcome);
      logger.warn(`${placeOf(task, batch, index)} ${waitsFor({ error })}: ${messageOf(error)}`);
    },
  };
}

/** Whether a message only waits. */
function waits(outcome: unknown): boolean {
  try {
    return isWaiting({ error: originalError(outcome) });
  } catch {
    // What cannot be looked at is none of ours.
    return false;
  }
}
