/** Judges a history: every invariant, and what of the history shows that one does not hold. */
import { Timeline } from './history.mjs';
import * as atLeastOnce from './invariants/at-least-once.mjs';
import * as attempts from './invariants/attempts.mjs';
import * as commitSafety from './invariants/commit-safety.mjs';
import * as exactlyOnce from './invariants/exactly-once.mjs';
import * as liveness from './invariants/liveness.mjs';
import * as lostWrite from './invariants/lost-write.mjs';
import * as mutualExclusion from './invariants/mutual-exclusion.mjs';
import * as order from './invariants/order.mjs';
import * as producerOrder from './invariants/producer-order.mjs';
import * as repetition from './invariants/repetition.mjs';
import * as replies from './invariants/replies.mjs';
import * as resources from './invariants/resources.mjs';

export const INVARIANTS = [
  lostWrite,
  atLeastOnce,
  exactlyOnce,
  commitSafety,
  mutualExclusion,
  order,
  repetition,
  producerOrder,
  replies,
  attempts,
  liveness,
  resources,
];

/**
 * @param {import('./history.mjs').History} history
 * @param {object} settings of the run: `maxAttempts`; `deadLetters` (a group's topic); `transforms`, what is read and
 *   written exactly once; `judgesStock`, whether what only kafkajs's processes can have done counts
 * @returns {import('./history.mjs').Violation[]} one for each place where an invariant does not hold
 */
export function judge(history, settings = {}) {
  const timeline = new Timeline(history);
  const violations = [];
  for (const { name, check } of INVARIANTS) {
    for (const { message, shown, by = [] } of check(timeline, settings)) {
      const isStock = by.some((process) => timeline.stock.has(process));
      if (isStock && !settings.judgesStock) continue;
      violations.push({ invariant: name, message, shown, by });
    }
  }
  return violations;
}
