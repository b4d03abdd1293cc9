import { compareMachine } from '../machine.mjs';
import { measureRequest } from '../measure/request.mjs';
import { RequestProcesses } from '../measure/request-processes.mjs';
import { perMessage } from '../measure/shared.mjs';
import { killAll } from '../process.mjs';
import { createRunState, describeRunState } from '../run-state.mjs';
import { formatSoakProgress } from './report.mjs';
import { describeGrowth, toRow } from './samples.mjs';

/** The load of a soak, as a share of the largest load. */
const LOAD_SHARE = 0.5;

/** Before the largest load is measured: a freshly started broker compiles its code meanwhile. */
const WARM_UP_SECONDS = 10;

const SAMPLE_INTERVAL_MS = 1000;

/** Number of samples between two progress lines. */
const SAMPLES_PER_LINE = 60;

/** Short retention, so that the broker keeps little during a long run. */
const TOPIC_CONFIG = { 'retention.bytes': String(256 * 1024 ** 2), 'segment.bytes': String(64 * 1024 ** 2) };

/**
 * Makes every candidate answer requests for a long time at half of its largest load, and records the memory of its
 * processes. It does not judge the results.
 *
 * @param {object} options and context, as for `run()` of the other benchmarks; of the workloads the first counts
 * @returns the result, as it is written to a file
 */
export async function run(options, { kafka, limit, skipped, progress, signal }) {
  const warmUp = options.quick ? options.warmUp : Math.max(options.warmUp, WARM_UP_SECONDS);
  const state = createRunState({ ...options, warmUp }, { limit, progress });
  const [workload] = options.workloads;
  const soaks = [];
  const failures = [];
  signal.addEventListener('abort', killAll);
  await state.topics.connect();
  try {
    for (const [number, candidate] of options.candidates.entries()) {
      signal.throwIfAborted();
      const step = { workload, candidate, run: state };
      try {
        // oxlint-disable-next-line no-await-in-loop -- measurements must not disturb each other
        const soaked = await soak(step, `${state.id}-${number}`, {
          minutes: options.soakMinutes,
          rate: options.soakRate,
          signal,
        });
        soaks.push({ candidate: candidate.name, ...soaked });
        progress(`${candidate.name}: ${formatSoakProgress(soaked)}`);
      } catch (error) {
        signal.throwIfAborted();
        failures.push({ candidate: candidate.name, error: error.message });
        progress(`${candidate.name}: FAILED: ${error.message}`);
      }
    }
  } finally {
    killAll();
    await state.topics.disconnect().catch((error) => progress(`topics left behind: ${error.message}`));
  }
  const described = describeRunState({ ...options, warmUp }, state, kafka);
  return {
    kind: 'soak',
    ...described,
    settings: {
      ...described.settings,
      soakMinutes: options.soakMinutes,
      soakRate: options.soakRate,
      loadShare: LOAD_SHARE,
    },
    workload,
    candidates: options.candidates,
    skipped,
    soaks,
    failures,
  };
}

/** One candidate: first the largest load, in processes of their own, then the long one. */
async function soak(step, id, { minutes, rate, signal }) {
  const { candidate, run: state } = step;
  const largest = await measureRequest({ ...step, id: `${id}-largest` });
  const perSecond = rate ?? largest.perSecond * LOAD_SHARE;
  state.progress(
    `${candidate.name}: ${Math.round(largest.perSecond)}/s at most; ${Math.round(perSecond)}/s for ${minutes} min`,
  );

  const processes = new RequestProcesses({ ...step, id: `${id}-soak` });
  try {
    const { clientIdleMiB, serverIdleMiB } = await processes.start(TOPIC_CONFIG);
    const before = await processes.mark();
    const sampling = new AbortController();
    const paced = processes.pace({ perSecond, seconds: minutes * 60 }).finally(() => sampling.abort());
    const samples = sampleUntil(AbortSignal.any([sampling.signal, signal]), processes, {
      candidate,
      progress: state.progress,
    });
    // Whichever fails first; the samples end with the load.
    const [window, rows] = await Promise.all([paced, samples]);
    const after = await processes.mark();

    const serverMicros = after.cpuMicros - before.cpuMicros;
    const handled = after.handled - before.handled;
    const machine = compareMachine(
      window.machineBefore,
      window.machineAfter,
      window.cpuMicros + serverMicros,
    );
    const { sent, answered, mostInFlight, seconds } = window;
    return {
      largestPerSecond: largest.perSecond,
      perSecond,
      seconds,
      sent,
      answered,
      handled,
      mostInFlight,
      cpuMicros: perMessage(
        { client: window.cpuMicros, server: serverMicros, broker: machine.brokerMicros },
        answered,
      ),
      processes: {
        client: { ...window.process, idleMiB: clientIdleMiB },
        server: { ...after.process, idleMiB: serverIdleMiB },
      },
      machine,
      growth: describeGrowth(rows),
      samples: rows,
      warnings: [
        ...(handled === answered ? [] : [`${answered} requests were answered, ${handled} handled`]),
        ...largest.warnings,
        ...(await processes.stop()),
      ],
    };
  } finally {
    processes.kill();
    await processes.removeTopics();
  }
}

/** Samples both processes once a second, from now until `ended`; every sample with the time that has passed. */
async function sampleUntil(ended, processes, { candidate, progress }) {
  const rows = [];
  const startedAt = performance.now();
  while (!ended.aborted) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    const sample = await processes.sample();
    rows.push(toRow((performance.now() - startedAt) / 1000, sample));
    if (rows.length % SAMPLES_PER_LINE === 0) {
      const { client, server } = sample;
      const memory = `client ${Math.round(client.residentMiB)} MiB, server ${Math.round(server.residentMiB)} MiB`;
      progress(`${candidate.name}: ${client.answered} answered, ${memory}`);
    }
    // Computed from the start, so that the samples do not drift.
    const next = rows.length * SAMPLE_INTERVAL_MS - (performance.now() - startedAt);
    // oxlint-disable-next-line no-await-in-loop -- see above
    await pause(next, ended);
  }
  return rows;
}

function pause(milliseconds, ended) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      ended.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, Math.max(0, milliseconds));
    ended.addEventListener('abort', finish);
  });
}
