/** What is measured, and the names that it is chosen by. */
import { SERIES } from './scaling/series.mjs';
import { consume, emit, emitBatch, KIB, rawConsume, rawProduce, request } from './workload-shapes.mjs';

const REQUESTS = [1, 6].flatMap((partitions) =>
  [200, 10 * KIB].flatMap((bytes) => [1, 64, 512].map((inFlight) => request(inFlight, partitions, bytes))),
);

const NEST_WORKLOADS = [
  ...REQUESTS,
  consume(),
  consume(6),
  consume(1, 10 * KIB, 0.1),
  emit(1),
  emit(256),
  emit(1024),
  emit(256, 6, 10 * KIB),
  emitBatch(1),
  emitBatch(10),
];

const RAW_WORKLOADS = [
  rawProduce('1000', 'one by one, 1,000 in flight', 1000, 1),
  rawProduce('batches', 'in batches of 100, 10 in flight', 10, 100),
  ...[1, 6].flatMap((partitions) => [false, true].map((batches) => rawConsume(batches, partitions))),
];

/** The workloads that compare candidates. */
const COMPARING = [...NEST_WORKLOADS, ...RAW_WORKLOADS];

/** The steps of the scaling series; a step that compares candidates as well is the same workload. */
const SCALING = [
  ...new Map(SERIES.flatMap(({ steps }) => steps).map((step) => [step.name, step])).values(),
].map((step) => COMPARING.find(({ name }) => name === step.name) ?? step);

export const WORKLOADS = [...new Set([...COMPARING, ...SCALING])];

/** Names that stand for several workloads. */
const GROUPS = { all: COMPARING, nest: NEST_WORKLOADS, raw: RAW_WORKLOADS, scaling: SCALING };

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
 * What a run of these workloads is for: it compares candidates, or shows how their cost grows with the work. A single
 * workload that only the latter has makes it that.
 *
 * @returns {'comparison' | 'scaling'}
 */
export function purposeOf(workloads) {
  return workloads.every((workload) => COMPARING.includes(workload)) ? 'comparison' : 'scaling';
}
