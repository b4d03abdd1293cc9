/**
 * The shapes of workloads, by kind. A workload is data; `measure/` carries it out by its kind.
 *
 * `payloadBytes` is the length of the JSON text of a request, a reply or an event. `batchLength` is how many messages
 * one call sends, `inFlight` how many calls are unanswered at any time.
 */

export const KIB = 1024;

/**
 * `topics`: how many patterns the requests go to in turn, each with that many partitions. `clients`: how many
 * processes send them; `inFlight` is the total of all clients, so that more clients do the same work.
 */
export function request(inFlight, partitions = 1, payloadBytes = 200, { topics = 1, clients = 1 } = {}) {
  const spread = `${topics === 1 ? '' : `-${topics}t`}${clients === 1 ? '' : `-${clients}c`}`;
  const from = clients === 1 ? '' : ` from ${clients} clients`;
  return {
    name: `request-${inFlight}${suffix(partitions, 1, payloadBytes)}${spread}`,
    title: `request-reply, ${inFlight} in flight${from}, ${describeTopic(partitions, payloadBytes, topics)}`,
    kind: 'request',
    inFlight,
    partitions,
    payloadBytes,
    topics,
    clients,
  };
}

/**
 * The same with options that only this package has: `kafka` of the handler, `keys` used in turn, and with `traced` a
 * span for each message in both processes. It is for a soak.
 */
export function requestWith(name, title, inFlight, { kafka, keys, traced }) {
  const workload = request(inFlight);
  return {
    ...workload,
    name: `${workload.name}-${name}`,
    title: `${workload.title}, ${title}`,
    kafka,
    keys,
    traced,
    candidates: ['native'],
  };
}

/** The start of a server, and of a client until its first reply. */
export function start() {
  return {
    name: 'start',
    title: 'a server starts, then a client',
    kind: 'start',
    partitions: 1,
    payloadBytes: 200,
  };
}

export function emit(inFlight, partitions = 6, payloadBytes = 200) {
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

export function emitBatch(inFlight, batchLength = 100) {
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
export function consume(partitions = 1, payloadBytes = 200, share = 1) {
  return {
    name: `consume${suffix(partitions, 1, payloadBytes)}`,
    title: `events drained from ${describeTopic(partitions, payloadBytes)}`,
    kind: 'consume',
    partitions,
    payloadBytes,
    share,
  };
}

/**
 * Events of one partition, whose handler has options (`kafka`) or a time to wait. `keys`: number of keys, used in
 * turn; `types`: number of values of the header `event-type`, one of which the handler takes. `copies`: the handler
 * sends each on to another topic, with `transactions` in one. `failsEvery`: one message in so many fails, and goes where
 * `deadLetter` says. `computeMs`: how long the handler keeps its thread busy;
 * `workers`: number of worker threads that run it. `candidates`: the only ones that can do that.
 */
export function handle(name, title, options) {
  const {
    share = 1,
    keys = 0,
    types = 1,
    waitMs = 0,
    computeMs = 0,
    workers = 0,
    kafka,
    ignores = false,
  } = options;
  const { copies, transactions, deadLetter, failsEvery, candidates } = options;
  return {
    name: `handle-${name}`,
    title: `events ${title}, ${describeTopic(1, 200)}`,
    kind: 'consume',
    partitions: 1,
    payloadBytes: 200,
    share,
    keys,
    types,
    waitMs,
    computeMs,
    workers,
    kafka,
    ignores,
    copies,
    transactions,
    deadLetter,
    failsEvery,
    candidates,
  };
}

export function rawProduce(name, title, inFlight, batchLength) {
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

export function rawConsume(batches, partitions) {
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

/**
 * What @platformatic/kafka publishes of producers: three bytes with a key and a header to one partition of three,
 * without acknowledgement of a replica, one call after the other.
 */
export function rivalProduce(name, title, batchLength) {
  return {
    name: `rival-produce-${name}`,
    title: `@platformatic/kafka's scenario: ${title}, acks 0`,
    kind: 'raw-produce',
    batchLength,
    inFlight: 1,
    partitions: 3,
    payloadBytes: 3,
    form: 'small',
    acks: 0,
  };
}

/**
 * What rivals publish of consumers: small messages with a key and a header, read by fetches of at most 2 KiB that wait
 * 10 ms, with no commits. `filled`: how many of three partitions have messages; `fillBatch`: how many were written at
 * a time, which decides how many a fetch brings, because a broker never cuts what was written as one.
 */
export function rivalConsume(name, title, { batches = false, filled = 3, fillBatch }) {
  return {
    name: `rival-consume-${name}`,
    title,
    kind: 'raw-consume',
    batches,
    partitions: 3,
    filled,
    fillBatch,
    payloadBytes: 16,
    form: 'small',
    fetch: { minBytes: 1, maxBytes: 2048, maxBytesPerPartition: 2048, maxWaitMs: 10 },
    autoCommit: false,
    share: 0.25,
  };
}

/** A size as the titles give it: whole kilobytes, otherwise bytes. */
export function describeSize(bytes) {
  return bytes % KIB === 0 ? `${bytes / KIB} KB` : `${bytes.toLocaleString('en-GB')} B`;
}

function suffix(partitions, usualPartitions, payloadBytes) {
  const topic = partitions === usualPartitions ? '' : `-${partitions}p`;
  if (payloadBytes === 200) return topic;
  return `${topic}-${payloadBytes % KIB === 0 ? `${payloadBytes / KIB}k` : `${payloadBytes}b`}`;
}

function describeTopic(partitions, payloadBytes, topics = 1) {
  const each = topics === 1 ? '' : `${topics} topics of `;
  return `${each}${partitions} partition${partitions === 1 ? '' : 's'}, ${describeSize(payloadBytes)}`;
}
