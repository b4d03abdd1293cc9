/**
 * What is compared. A candidate of the Nest workloads is `roles/nest/<name>.mjs`, one of the raw workloads
 * `roles/raw/<name>.mjs`, in Node processes; those with `program` are a program of their own.
 *
 * `kinds`: the kinds of workloads that it can carry out. `workloads`: the only workloads that it is for. `rival`: the
 * folder of `rivals/` that it is installed from. `earlier`: the build of the commit that `--against` names, measured
 * only with that option. `inProcess`: server and client are one process, whose figures are in the client's columns.
 */
const NEST = ['request', 'consume', 'emit', 'start'];
const RAW = ['raw-produce', 'raw-consume'];
/** What packages with decorators of their own can carry out: events and batches of them. */
const DECORATED = [
  'consume',
  'consume-6p',
  'handle-batch',
  'emit-1',
  'emit-256',
  'emit-1024',
  'emit-batch-1',
  'emit-batch-10',
];

export const CANDIDATES = [
  { name: 'stock', kinds: NEST, about: 'NestJS over kafkajs: Transport.KAFKA' },
  {
    name: 'stock-routed',
    kinds: ['request', 'consume'],
    about: 'stock, with the route that NestJS looks up for every message remembered: what stock could become',
  },
  {
    name: 'stock-batches',
    kinds: ['consume'],
    workloads: ['handle-batch'],
    about:
      "stock with kafkajs's eachBatch in eachMessage's place: what applications write by hand for batches",
  },
  { name: 'native', kinds: NEST, needsPackage: true, about: 'NestJS over this package' },
  {
    name: 'against',
    kinds: NEST,
    earlier: true,
    about: 'NestJS over the build of this package that --against names',
  },
  {
    name: 'confluent',
    kinds: NEST,
    rival: 'confluent',
    about: 'NestJS over @confluentinc/kafka-javascript, by a thin custom transport of this benchmark',
  },
  {
    name: 'nest-native',
    kinds: ['consume', 'emit'],
    workloads: DECORATED,
    rival: 'confluent',
    about: '@nest-native/kafka: modules and decorators of its own over @confluentinc/kafka-javascript',
  },
  {
    name: 'drarzter',
    kinds: ['consume', 'emit'],
    workloads: DECORATED,
    rival: 'confluent',
    about:
      "@drarzter/kafka-client: a client with a NestJS module over @confluentinc/kafka-javascript; librdkafka's own linger of 5 ms, which it cannot change",
  },
  {
    name: 'nest-memory',
    kinds: ['request', 'consume'],
    inProcess: true,
    about: "NestJS's own limit: the same handlers fed from memory, JSON included, no Kafka",
  },
  { name: 'kafkajs', kinds: RAW, about: 'kafkajs' },
  { name: 'native-raw', kinds: RAW, needsPackage: true, about: "this package's Kafka, without NestJS" },
  {
    name: 'against-raw',
    kinds: RAW,
    earlier: true,
    about: 'the Kafka of the build of this package that --against names, without NestJS',
  },
  {
    name: 'confluent-raw',
    kinds: RAW,
    rival: 'confluent',
    about: '@confluentinc/kafka-javascript, its KafkaJS interface',
  },
  { name: 'platformatic', kinds: RAW, rival: 'platformatic', about: '@platformatic/kafka' },
  { name: 'kafka-crab', kinds: RAW, rival: 'kafka-crab', about: 'kafka-crab-js' },
  {
    name: 'librdkafka',
    kinds: ['request', ...RAW],
    program: true,
    about: 'librdkafka alone, in Rust: bytes echoed, no JSON, no group; linger 0 as everywhere',
  },
  {
    name: 'librdkafka-linger',
    kinds: ['request', 'raw-produce'],
    program: true,
    lingerMs: 0.5,
    about: 'the same with a linger of 0.5 ms, which suits it better under load',
  },
];

/** The default candidates, by the purpose of a run. */
export const USUAL_CANDIDATES = {
  comparison: ['stock', 'stock-routed', 'stock-batches', 'native'],
  scaling: ['stock', 'native'],
  soak: ['native'],
  against: ['against', 'against-raw', 'native', 'native-raw'],
};

/** The base of ratios: the first of these that can carry the workload out; an earlier build only if it is measured. */
const BASES = ['against', 'against-raw', 'stock', 'kafkajs'];

/** Whether a candidate can carry a workload out. */
export function carriesOut(candidate, { kind, name, candidates }) {
  const { kinds, workloads = [name] } = candidate;
  return (
    kinds.includes(kind) &&
    workloads.includes(name) &&
    (candidates ?? [candidate.name]).includes(candidate.name)
  );
}

/** The candidate of that name; throws an error that lists the names. */
export function findCandidate(name) {
  const candidate = CANDIDATES.find((one) => one.name === name);
  if (candidate === undefined) {
    const names = CANDIDATES.map((one) => one.name).join(', ');
    throw new Error(`--candidates: "${name}" is none of ${names}`);
  }
  return candidate;
}

/** The name of the candidate that the others of a workload of this kind are compared with. */
export function baseOf(kind, candidates) {
  return BASES.find((name) => {
    const { kinds, earlier } = findCandidate(name);
    return kinds.includes(kind) && (!earlier || candidates.some((one) => one.name === name));
  });
}
