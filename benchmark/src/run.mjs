import { carriesOut } from './candidates.mjs';
import { measureDrain } from './measure/drain.mjs';
import { measureRequest } from './measure/request.mjs';
import { measureSend } from './measure/send.mjs';
import { measureStart } from './measure/start.mjs';
import { killAll } from './process.mjs';
import { formatProgress } from './report.mjs';
import { createRunState, describeRunState } from './run-state.mjs';
import { summarise } from './summary.mjs';

const WARM_BROKER_SECONDS = 10;
/** Limits of messages in flight in one direction, because large payloads would exhaust the machine's memory. */
const WARM_BROKER_IN_FLIGHT = { messages: 256, bytes: 16 * 1024 ** 2 };

const MEASURES = {
  request: measureRequest,
  start: measureStart,
  emit: measureSend,
  consume: measureDrain,
  'raw-produce': measureSend,
  'raw-consume': measureDrain,
};

/**
 * Measures every workload for every candidate, in rounds: within a round the candidates take turns workload by
 * workload, in every other round in reversed order, so that drifts of the machine affect all candidates. A
 * measurement that fails is recorded and the others go on.
 *
 * @param {object} options from `parseOptions()`, with `brokers` filled in and the candidates that can be run
 * @param {{ kafka: string, limit?: string, skipped: object[], progress: (line: string) => void, signal: AbortSignal }} context
 *   `kafka`: the broker's version; `limit`: the program of the candidates that have one; `skipped`: the candidates
 *   that cannot be run, each with the reason
 * @returns the result, as it is written to a file
 */
export async function run(options, { kafka, limit, skipped, progress, signal }) {
  const state = createRunState(options, { limit, progress });
  const measurements = [];
  const failures = [];
  const unsupported = [];
  const measure = (step, id, overrides) =>
    MEASURES[step.workload.kind]({ ...step, id: `${state.id}-${id}`, run: { ...state, ...overrides } });
  signal.addEventListener('abort', killAll);
  await state.topics.connect();
  try {
    await warmBroker(options, { measure, progress, signal });
    const steps = schedule(options);
    for (const [number, step] of steps.entries()) {
      signal.throwIfAborted();
      const place = { workload: step.workload.name, candidate: step.candidate.name, round: step.round };
      const label = `[${number + 1}/${steps.length}] ${place.workload} ${place.candidate}`;
      try {
        // oxlint-disable-next-line no-await-in-loop -- measurements must not disturb each other
        const measured = await measure(step, number);
        measurements.push({ ...place, ...measured });
        progress(`${label}: ${formatProgress(measured)}`);
      } catch (error) {
        signal.throwIfAborted();
        if (error.notSupported) {
          unsupported.push({ ...place, reason: error.notSupported });
          progress(`${label}: not offered: ${error.notSupported}`);
        } else {
          failures.push({ ...place, error: error.message });
          progress(`${label}: FAILED: ${error.message}`);
        }
      }
    }
  } finally {
    killAll();
    await state.topics.disconnect().catch((error) => progress(`topics left behind: ${error.message}`));
  }
  return {
    kind: options.purpose,
    ...describeRunState(options, state, kafka),
    workloads: options.workloads,
    candidates: options.candidates,
    skipped: [...skipped, ...notOffered(unsupported)],
    summary: summarise(options, measurements),
    measurements,
    failures,
  };
}

/**
 * Puts load on the broker before the first round, by every candidate, because a freshly started JVM is still
 * compiling its code. Failures show up in the rounds.
 */
async function warmBroker({ workloads, candidates, quick }, { measure, progress, signal }) {
  const workload = workloads.find((one) => one.inFlight !== undefined);
  if (quick || workload === undefined) return;
  const { messages, bytes } = WARM_BROKER_IN_FLIGHT;
  const inFlight = Math.min(messages, Math.ceil(bytes / workload.payloadBytes));
  for (const candidate of candidates) {
    if (!carriesOut(candidate, workload) || candidate.inProcess) continue;
    signal.throwIfAborted();
    progress(`warming the broker up with ${candidate.name}`);
    // oxlint-disable-next-line no-await-in-loop -- in turn, as in the rounds
    await measure({ workload: { ...workload, inFlight }, candidate }, `warm-${candidate.name}`, {
      duration: WARM_BROKER_SECONDS,
    }).catch(() => undefined);
  }
}

/** One entry for what a candidate does not offer, however many rounds found that out. */
function notOffered(unsupported) {
  const entries = unsupported.map(({ workload, candidate, reason }) => [
    `${candidate} ${workload}`,
    { candidate, workload, reason },
  ]);
  return [...new Map(entries).values()];
}

/** The measurements of a run, in order. */
function schedule({ rounds, workloads, candidates }) {
  const order = [];
  for (let round = 1; round <= rounds; round++) {
    const turn = round % 2 === 1 ? candidates : candidates.toReversed();
    for (const workload of workloads) {
      const able = turn.filter((candidate) => carriesOut(candidate, workload));
      for (const candidate of able) order.push({ round, workload, candidate });
    }
  }
  return order;
}
