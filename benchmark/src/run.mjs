import { measureConsume } from './measure/consume.mjs';
import { measureEmit } from './measure/emit.mjs';
import { measureRequest } from './measure/request.mjs';
import { describeMachine, findListener } from './machine.mjs';
import { killAll } from './process.mjs';
import { formatProgress } from './report.mjs';
import { summarise } from './summary.mjs';
import { Topics } from './topics.mjs';

const WARM_BROKER_SECONDS = 10;

const MEASURES = { request: measureRequest, emit: measureEmit, consume: measureConsume };

/**
 * Measures every workload for every candidate, in rounds: within a round the candidates take turns workload by
 * workload, and every other round they do so in reversed order, so that whatever drifts on the machine meets both.
 * A measurement that fails is recorded and the others go on.
 *
 * @param {object} options from `parseOptions()`, with `brokers` filled in
 * @param {{ kafka: string, progress: (line: string) => void, signal: AbortSignal }} context
 * @returns the result, as it is written to a file
 */
export async function run(options, { kafka, progress, signal }) {
  const state = {
    id: `bench-${process.pid}-${Date.now().toString(36)}`,
    brokers: options.brokers,
    brokerPid: localListener(options.brokers[0]),
    duration: options.duration,
    warmUp: options.warmUp,
    messages: options.messages,
    verbose: options.verbose,
    topics: new Topics(options.brokers),
    filled: new Map(),
    progress,
  };
  const measurements = [];
  const failures = [];
  const measure = (step, id, overrides) =>
    MEASURES[step.workload.kind]({ ...step, id: `${state.id}-${id}`, run: { ...state, ...overrides } });
  signal.addEventListener('abort', killAll);
  await state.topics.connect();
  try {
    await warmBroker(options, { measure, progress, signal });
    for (const [number, step] of schedule(options).entries()) {
      signal.throwIfAborted();
      const place = { workload: step.workload.name, candidate: step.candidate, round: step.round };
      const label = `[round ${place.round}/${options.rounds}] ${place.workload} ${place.candidate}`;
      try {
        // oxlint-disable-next-line no-await-in-loop -- measurements must not disturb each other
        const measured = await measure(step, number);
        measurements.push({ ...place, ...measured });
        progress(`${label}: ${formatProgress(measured)}`);
      } catch (error) {
        signal.throwIfAborted();
        failures.push({ ...place, error: error.message });
        progress(`${label}: FAILED: ${error.message}`);
      }
    }
  } finally {
    killAll();
    await state.topics.disconnect().catch((error) => progress(`topics left behind: ${error.message}`));
  }
  return {
    date: options.date,
    command: ['npm run bench', ...(options.argv.length > 0 ? ['--', ...options.argv] : [])].join(' '),
    machine: { ...describeMachine(), kafka, brokerOnThisMachine: state.brokerPid !== undefined },
    settings: settings(options),
    workloads: options.workloads,
    candidates: options.candidates,
    summary: summarise(options, measurements),
    measurements,
    failures,
  };
}

/**
 * Puts load on the broker before the first round, by every candidate: a freshly started one compiles its code while
 * it is measured. Failures show up in the rounds.
 */
async function warmBroker({ workloads, candidates, quick }, { measure, progress, signal }) {
  const workload = workloads.find(({ kind }) => kind !== 'consume');
  if (quick || workload === undefined) return;
  for (const candidate of candidates) {
    signal.throwIfAborted();
    progress(`warming the broker up with ${candidate}`);
    // oxlint-disable-next-line no-await-in-loop -- in turn, as in the rounds
    await measure({ workload: { ...workload, inFlight: 256 }, candidate }, `warm-${candidate}`, {
      duration: WARM_BROKER_SECONDS,
    }).catch(() => undefined);
  }
}

/** The measurements of a run, in order. */
function schedule({ rounds, workloads, candidates }) {
  const order = [];
  for (let round = 1; round <= rounds; round++) {
    const turn = round % 2 === 1 ? candidates : candidates.toReversed();
    for (const workload of workloads) {
      for (const candidate of turn) order.push({ round, workload, candidate });
    }
  }
  return order;
}

/** The settings that both candidates share, as the output states them. */
function settings({ rounds, duration, warmUp, messages, quick }) {
  return {
    rounds,
    quick,
    durationSeconds: duration,
    warmUpSeconds: warmUp,
    consumedMessages: messages,
    acks: -1,
    lingerMs: 'default (0)',
    compression: 'none',
    commits: 'default (automatic)',
    replicationFactor: 1,
  };
}

function localListener(broker) {
  const [host, port] = broker.split(':');
  return ['127.0.0.1', 'localhost', '[::1]'].includes(host) ? findListener(Number(port)) : undefined;
}
