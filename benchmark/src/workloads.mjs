/**
 * What is measured. A workload is data; how its kind is carried out stands in `measure/<kind>.mjs`.
 *
 * `payloadBytes` is the length of the JSON text of a request, a reply or an event.
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
    title: `emit, ${inFlight} in flight, ${describeTopic(partitions, payloadBytes)}`,
    kind: 'emit',
    inFlight,
    partitions,
    payloadBytes,
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

function suffix(partitions, usualPartitions, payloadBytes) {
  const topic = partitions === usualPartitions ? '' : `-${partitions}p`;
  return payloadBytes === 200 ? topic : `${topic}-${Math.round(payloadBytes / KIB)}k`;
}

function describeTopic(partitions, payloadBytes) {
  const size = payloadBytes < KIB ? `${payloadBytes} B` : `${Math.round(payloadBytes / KIB)} KB`;
  return `${partitions} partition${partitions === 1 ? '' : 's'}, ${size}`;
}

export const WORKLOADS = [
  request(1),
  request(64),
  request(512),
  consume(),
  emit(256),
  request(1, 6),
  request(64, 6),
  request(512, 6),
  request(1, 1, 10 * KIB),
  request(64, 1, 10 * KIB),
  request(512, 1, 10 * KIB),
  consume(6),
  consume(1, 10 * KIB, 0.1),
  emit(1),
  emit(1024),
  emit(256, 6, 10 * KIB),
];

export const DEFAULT_WORKLOADS = ['request-1', 'request-64', 'request-512', 'consume', 'emit-256'];

/** The workload of that name; throws an error that lists the names. */
export function findWorkload(name) {
  const workload = WORKLOADS.find((candidate) => candidate.name === name);
  if (workload === undefined) {
    const names = WORKLOADS.map((candidate) => candidate.name).join(', ');
    throw new Error(`--workload: "${name}" is none of ${names}`);
  }
  return workload;
}
