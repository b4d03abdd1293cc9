/** One run: processes of every kind on a cluster, faults by a seed, and what all of them have noted, judged. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { makeTopics } from '../harness/topics.mjs';
import { expulsions } from './broker-log.mjs';
import { judge } from './checker.mjs';
import { Faults } from './faults.mjs';
import { Timeline } from './history.mjs';
import { deadLetters, MAX_ATTEMPTS, populationOf } from './population.mjs';
import { readCommits, readLog } from './reading.mjs';
import { now, Notes, Recorder } from './recorder.mjs';
import { makeSchedule } from './schedule.mjs';
import { within } from './within.mjs';

/** What was sent is handled within so long after the last fault; the checker says what is missing otherwise. */
const DRAIN_MS = 90_000;
/** No step after the faults takes so long: starts and restarts have limits of their own, and so has each reading. */
const STEP_MS = 15 * 60_000;

/**
 * @typedef {object} Run what makes a run; written to `run.json`, from which it can be made again
 * @property {number} seed
 * @property {number} minutes how long faults come
 * @property {boolean} stock kafkajs alone
 * @property {boolean} part a third of the processes
 * @property {string} prefix of its topics and groups
 */

/** A folder for a run's notes, emptied, with what makes it. */
export function prepare(folder, run) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.json'), `${JSON.stringify(run, undefined, 2)}\n`);
}

/** What a folder says of its run. */
export function readRun(folder) {
  return JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
}

/**
 * Carries a run out and judges it.
 *
 * @param {Run} run
 * @param {{ cluster: object, folder: string, say: (line: string) => void, signal: AbortSignal }} place the signal ends the run
 *   early, with an AbortError
 */
export async function carryOut(run, { cluster, folder, say, signal }) {
  const { seed, minutes, prefix } = run;
  const milliseconds = minutes * 60_000;
  const schedule = makeSchedule(seed, milliseconds);
  const population = populationOf(run);
  const recorder = new Recorder(folder, 'run');
  const admin = new Kafka({
    brokers: cluster.brokers,
    logLevel: logLevel.NOTHING,
    retry: { retries: 20 },
  }).admin();
  await admin.connect();
  const faults = new Faults({ cluster, admin, population, prefix, folder, seed, recorder, say });
  const notes = new Notes(folder);
  const check = () => signal.throwIfAborted();
  const running = () => faults.running.map((member) => member.name).join(', ') || 'nobody';
  /** Ends with the run when that is given up, and names who keeps it when it comes to no end. */
  const step = (name, promise) => {
    const late = () =>
      `seed ${seed}: ${name} did not end within ${STEP_MS / 60_000} min; still there: ${running()}`;
    return within(STEP_MS, abortable(promise, signal), late);
  };
  try {
    const wanted = Object.entries(population.topics);
    await makeTopics(
      admin,
      wanted.map(([topic, numPartitions]) => ({ topic, numPartitions })),
    );
    check();
    await step('starting', faults.startAll());
    say(
      `seed ${seed}: ${faults.members.length} processes work; ${schedule.length} faults in ${minutes * 60} s`,
    );
    for (const [number, fault] of schedule.entries()) {
      await abortable(faults.at(fault.after), signal);
      say(`  ${(fault.after / 1000).toFixed(1)} s  ${number + 1}/${schedule.length} ${describe(fault)}`);
      faults.begin(fault);
    }
    await abortable(faults.at(milliseconds), signal);
    say(`seed ${seed}: healing`);
    await step('the last fault', faults.heal());
    recorder.note('healed');
    await step('what was started last', faults.settled());
    await step(
      'the work of producers and clients',
      faults.leave(({ role }) => ['producer', 'client'].includes(role)),
    );
    say(`seed ${seed}: nobody sends any more; what is left is handled`);
    await step('handling', drained(notes, population, cluster.brokers, say));
    await step(
      'the work of servers',
      faults.leave(() => true),
    );
    say(`seed ${seed}: reading the log`);
    const log = await step('reading the log', readLog(cluster.brokers, judgedTopics(population)));
    const topics = new Set(Object.keys(population.topics));
    const commits = (await step('reading commits', readCommits(cluster.brokers))).filter(({ topic }) =>
      topics.has(topic),
    );
    noteExpulsions(cluster, notes, recorder);
    writeFileSync(join(folder, 'cluster.json'), JSON.stringify({ log, commits }));
  } finally {
    await faults.killAll();
    await admin.disconnect();
  }
  return judgeFolder(folder);
}

/** Judges what a folder holds. */
export function judgeFolder(folder) {
  const run = readRun(folder);
  const { log, commits } = JSON.parse(readFileSync(join(folder, 'cluster.json'), 'utf8'));
  const history = { events: new Notes(folder).refresh(), log, commits };
  const { processes } = populationOf(run);
  const violations = judge(history, {
    maxAttempts: MAX_ATTEMPTS,
    deadLetters,
    transforms: processes.filter(({ role }) => role === 'transformer'),
    judgesStock: run.stock,
  });
  return { run, folder, timeline: new Timeline(history), violations };
}

/** Rejects as soon as the run is given up. */
function abortable(promise, signal) {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function describe({ kind, network, ms }) {
  const details = network === undefined ? '' : `: ${Object.values(network).join(' ')}`;
  return `${kind}${details}${ms === undefined ? '' : ` for ${ms} ms`}`;
}

/** All but those of replies, which nobody but their clients can judge. */
function judgedTopics({ topics }) {
  return Object.keys(topics).filter((topic) => !topic.endsWith('.reply'));
}

/** Waits until every group has handled what its topics hold, or has had its time. */
async function drained(notes, population, brokers, say) {
  const deadline = Date.now() + DRAIN_MS;
  const readers = population.processes.filter(({ role }) => role === 'server' || role === 'transformer');
  const topics = [
    ...new Set(readers.flatMap(({ topics: read, requests, input }) => [read, requests, input].flat())),
  ];
  const outputs = readers.map(({ output }) => output).filter(Boolean);
  for (;;) {
    const log = await readLog(brokers, [...topics.filter(Boolean), ...outputs]);
    const missing = unhandled(notes.refresh(), log, readers);
    if (missing === 0) return;
    if (Date.now() > deadline) {
      say(`${missing} records are not handled after ${DRAIN_MS / 1000} s`);
      return;
    }
    await later(1000);
  }
}

function unhandled(events, log, readers) {
  const done = new Set();
  const { deliveries } = new Timeline({ events, log, commits: [] });
  for (const { group, end, begin } of deliveries) {
    if (end !== undefined && end.outcome !== 'failed') done.add(`${group} ${begin.record}`);
  }
  const written = new Set(log.map(({ topic, record }) => `${topic} ${record}`));
  let missing = 0;
  for (const { group, topics = [], requests = [], input, output } of readers) {
    for (const { topic, record } of log) {
      if ([...topics, ...requests].includes(topic) && !done.has(`${group} ${record}`)) missing++;
      if (topic === input && !written.has(`${output} ${record}`)) missing++;
    }
  }
  return missing;
}

/** Whom the groups of this run have thrown out. */
function noteExpulsions(cluster, notes, recorder) {
  const members = new Set(
    notes
      .refresh()
      .filter(({ type }) => type === 'joined')
      .map(({ member }) => member),
  );
  const files = cluster.brokers.map((_, index) => cluster.node(index + 1).logFile);
  for (const { at, members: text } of expulsions(files)) {
    for (const member of members) if (text.includes(member)) recorder.note('expelled', { at, member });
  }
  recorder.note('judged', { at: now() });
}
