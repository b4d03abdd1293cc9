/**
 * What is measured. A workload is data; how its kind is carried out stands in `measure/`.
 *
 * `payloadBytes` is the length of the JSON text of a request, a reply or an event. `batchLength` is how many messages
 * one call sends, `inFlight` how many calls are unanswered at any time.
 */

const KIB = 1024;

function request(inFlight, partitions = 1, payloadBytes = 200) {
  return {
    name: `request-${inFlight}${suffix(partitions, 1, payloadBytes)}`,
    title: `request-reply, ${inFlight} in flight, ${describeTopic(partitions, payloadBytes)}`,
    kind: 'request',
    inFlight,
    partitions,
    payloadBytes,
  };
}

function emit(inFlight, partitions = 6, payloadBytes = 200) {
  return {
    name: `emit-${inFlight}${suffix(partitions, 6, payloadBytes)}`,
    title: `emit, ${inFlight.toLocaleString('en-GB')} in flight, ${describeTopic(partitions, payloadBytes)}`,
    kind: 'emit',
    batchLength: 1,
    inFlight,
    partitions,
    payloadBytes,
  };
}

function emitBatch(inFlight, batchLength = 100) {
  return {
    name: `emit-batch-${inFlight}`,
    title: `emitBatch of ${batchLength}, ${inFlight} in flight, ${describeTopic(6, 200)}`,
    kind: 'emit',
    batchLength,
    inFlight,
    partitions: 6,
    payloadBytes: 200,
  };
}

/** `share`: how much of `--messages` it consumes, so that large payloads do not take gigabytes of topic. */
function consume(partitions = 1, payloadBytes = 200, share = 1) {
  return {
    name: `consume${suffix(partitions, 1, payloadBytes)}`,
    title: `events drained from ${describeTopic(partitions, payloadBytes)}`,
    kind: 'consume',
    partitions,
    payloadBytes,
    share,
  };
}

function rawProduce(name, title, inFlight, batchLength) {
  return {
    name: `raw-produce-${name}`,
    title: `produced ${title}, ${describeTopic(6, 200)}`,
    kind: 'raw-produce',
    batchLength,
    inFlight,
    partitions: 6,
    payloadBytes: 200,
  };
}

function rawConsume(batches, partitions) {
  return {
    name: `raw-consume-${batches ? 'batches' : 'each'}${suffix(partitions, 1, 200)}`,
    title: `consumed ${batches ? 'in batches' : 'one by one'} from ${describeTopic(partitions, 200)}`,
    kind: 'raw-consume',
    batches,
    partitions,
    payloadBytes: 200,
    share: 1,
  };
}

function suffix(partitions, usualPartitions, payloadBytes) {
  const topic = partitions === usualPartitions ? '' : `-${partitions}p`;
  return payloadBytes === 200 ? topic : `${topic}-${Math.round(payloadBytes / KIB)}k`;
}

function describeTopic(partitions, payloadBytes) {
  const size = payloadBytes < KIB ? `${payloadBytes} B` : `${Math.round(payloadBytes / KIB)} KB`;
  return `${partitions} partition${partitions === 1 ? '' : 's'}, ${size}`;
}

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

export const WORKLOADS = [...NEST_WORKLOADS, ...RAW_WORKLOADS];

/** Names that stand for several workloads. */
const GROUPS = { all: WORKLOADS, nest: NEST_WORKLOADS, raw: RAW_WORKLOADS };

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
