/** What is measured, and the names that it is chosen by. */
import { SERIES } from './scaling/series.mjs';
import {
  consume,
  emit,
  emitBatch,
  handle,
  KIB,
  rawConsume,
  rawProduce,
  request,
  requestWith,
  rivalConsume,
  rivalProduce,
  start,
} from './workload-shapes.mjs';

const REQUESTS = [1, 6].flatMap((partitions) =>
  [200, 10 * KIB].flatMap((bytes) => [1, 64, 512].map((inFlight) => request(inFlight, partitions, bytes))),
);

const EVENTS = consume();

const NEST_WORKLOADS = [
  ...REQUESTS,
  EVENTS,
  consume(6),
  consume(1, 10 * KIB, 0.1),
  emit(1),
  emit(256),
  emit(1024),
  emit(256, 6, 10 * KIB),
  emitBatch(1),
  emitBatch(10),
  start(),
];

const RAW_WORKLOADS = [
  rawProduce('1000', 'one by one, 1,000 in flight', 1000, 1),
  rawProduce('batches', 'in batches of 100, 10 in flight', 10, 100),
  ...[1, 6].flatMap((partitions) => [false, true].map((batches) => rawConsume(batches, partitions))),
];

/** As kafka-crab-js fills its topic. */
const CRAB = { filled: 2, fillBatch: 10_000 };

/** What other clients publish of themselves, with their sizes and their loops. */
const RIVAL_WORKLOADS = [
  rivalProduce('each', 'sent one by one', 1),
  rivalProduce('batches', 'sent in batches of 100', 100),
  rivalConsume('each', "@platformatic/kafka's scenario: messages written one by one, consumed one by one", {
    fillBatch: 1,
  }),
  rivalConsume('crab-each', "kafka-crab-js's scenario: consumed one by one", CRAB),
  rivalConsume('crab-batches', "kafka-crab-js's scenario: consumed in batches", { ...CRAB, batches: true }),
];

const BY_KEY = { concurrency: { order: 'key', max: 64 } };
const WAITS = { share: 0.02, keys: 1000, waitMs: 5 };
/**
 * More messages than in other workloads: most are filtered, and the usual number would be consumed before V8 has
 * compiled the code for the others.
 */
const TYPES = { share: 5, types: 20 };
const OURS = { candidates: ['native', 'against'] };
const TRANSACTIONAL = { ...OURS, copies: true, kafka: { transactional: true } };
/** A wait that is not over before the end. */
const RETRIED = { ...OURS, deadLetter: { retryTopics: { delays: [3_600_000] } } };
/**
 * What a handler does whose messages may fail. More messages than in other workloads where that is nothing: V8 has compiled the code
 * for failures after some thousands of them.
 */
const HANDLED = [
  ['', '', { share: 4 }],
  ['-10us', ', each computed for 10 µs', { computeMs: 0.01, share: 2 }],
  ['-100us', ', each computed for 100 µs', { computeMs: 0.1, share: 0.2 }],
  ['-wait', ', each handled in 1 ms', { waitMs: 1, share: 0.02 }],
];
const ONE_TYPE = { headers: { 'event-type': 'type-0' } };

/** By key, because one partition in its order has one handler at a time. */
const COMPUTES = { share: 0.02, keys: 1000, computeMs: 1, kafka: BY_KEY };

/**
 * Handlers with options that NestJS's own transport does not have; it handles the same events as usual. Before them
 * the same events without options.
 */
const HANDLERS = [
  EVENTS,
  handle('wait', 'of 1,000 keys, each handled in 5 ms', WAITS),
  handle('wait-key', 'of 1,000 keys, each handled in 5 ms, by key', { ...WAITS, kafka: BY_KEY }),
  handle('keys', 'of 1,000 keys', { keys: 1000 }),
  handle('keys-key', 'of 1,000 keys, by key', { keys: 1000, kafka: BY_KEY }),
  handle('batch', 'in batches of 500', { kafka: { batch: { maxMessages: 500 } } }),
  handle('ignore', 'of 20 types, one of them handled, the others ignored by the handler', {
    ...TYPES,
    ignores: true,
  }),
  handle('copy', 'sent on to another topic', {
    copies: true,
    candidates: ['stock', 'stock-routed', ...OURS.candidates],
  }),
  handle('copy-bulk', 'sent on in transactions of up to 500', {
    ...TRANSACTIONAL,
    transactions: { idPrefix: 'bench', maxRecords: 500 },
  }),
  handle('copy-each', 'sent on, each in a transaction of its own', {
    ...TRANSACTIONAL,
    share: 0.01,
    transactions: { idPrefix: 'bench', maxRecords: 1 },
  }),
  ...HANDLED.flatMap(([suffix, how, work]) => [
    handle(`retried${suffix}`, `with retry topics, none of them failing${how}`, { ...RETRIED, ...work }),
    handle(`poison${suffix}`, `with retry topics, one in a hundred failing${how}`, {
      ...RETRIED,
      ...work,
      failsEvery: 100,
    }),
  ]),
  handle('compute', 'of 1,000 keys, each computed for 1 ms, by key', COMPUTES),
  handle('compute-workers', 'of 1,000 keys, each computed for 1 ms, by key, in 2 worker threads', {
    ...COMPUTES,
    ...OURS,
    workers: 2,
  }),
  handle('filter', 'of 20 types, one of them handled, by its header', { ...TYPES, kafka: ONE_TYPE }),
];

/** What a soak is to try beside the usual requests. */
const KEYS_TRACED = requestWith('keys-traced', 'of 1,000 keys, handled by key, traced', 64, {
  kafka: BY_KEY,
  keys: 1000,
  traced: true,
});

/** The workloads that compare candidates. */
const COMPARING = [...NEST_WORKLOADS, ...RAW_WORKLOADS, ...RIVAL_WORKLOADS];

/** These, and workloads that only some candidates support. */
const COMPARED = [...COMPARING, ...HANDLERS, KEYS_TRACED];

/** The steps of the scaling series; a step that compares candidates as well is the same workload. */
const SCALING = [
  ...new Map(SERIES.flatMap(({ steps }) => steps).map((step) => [step.name, step])).values(),
].map((step) => COMPARING.find(({ name }) => name === step.name) ?? step);

export const WORKLOADS = [...new Set([...COMPARED, ...SCALING])];

/** Names that stand for several workloads. */
const GROUPS = {
  all: [...NEST_WORKLOADS, ...RAW_WORKLOADS],
  nest: NEST_WORKLOADS,
  raw: RAW_WORKLOADS,
  rivals: RIVAL_WORKLOADS,
  handlers: HANDLERS,
  scaling: SCALING,
};

export const DEFAULT_WORKLOADS = ['request-1', 'request-64', 'request-512', 'consume', 'emit-256'];

/** The workloads of that name or group; throws an error that lists the names. */
export function findWorkloads(name) {
  if (Object.hasOwn(GROUPS, name)) return GROUPS[name];
  const workload = WORKLOADS.find((candidate) => candidate.name === name);
  if (workload === undefined) {
    const names = [...Object.keys(GROUPS), ...WORKLOADS.map((one) => one.name)].join(', ');
    throw new Error(`--workload: "${name}" is none of ${names}`);
  }
  return [workload];
}

/**
 * The purpose of a run of these workloads: to compare candidates, or to show how their cost grows with the work. The
 * latter if any workload is only in the scaling series.
 *
 * @returns {'comparison' | 'scaling'}
 */
export function purposeOf(workloads) {
  return workloads.every((workload) => COMPARED.includes(workload)) ? 'comparison' : 'scaling';
}
