/**
 * How the work grows: in each series one property of a workload increases while the others stay. `steps` are the
 * workloads, `point` returns a step's value of that property.
 */
import { consume, describeSize, KIB, request } from '../workload-shapes.mjs';

/**
 * The largest payload: 1 MB, minus room for key, headers and record overhead, because librdkafka sends at most
 * 1,000,000 B in one message unless it is told otherwise (`message.max.bytes`), and a broker takes batches of at most
 * 1,048,588 B. No limit is raised anywhere.
 */
const LARGEST = 999_000;

/** So that the largest payloads in flight are 8 MB, and not 64. */
const FEW_IN_FLIGHT = 8;

const partitions = ({ partitions: count }) => String(count);
const payload = ({ payloadBytes }) => describeSize(payloadBytes);

export const SERIES = [
  {
    name: 'partitions',
    title: 'Request-reply: partitions',
    axis: 'partitions',
    about: '64 in flight, 200 B',
    point: partitions,
    steps: [1, 6, 48].map((count) => request(64, count)),
  },
  {
    name: 'topics',
    title: 'Request-reply: topics',
    axis: 'topics',
    about: '64 in flight over all topics in turn, 1 partition each, 200 B',
    point: ({ topics = 1 }) => String(topics),
    steps: [1, 10, 100].map((topics) => request(64, 1, 200, { topics })),
  },
  {
    name: 'payloads',
    title: 'Request-reply: payloads',
    axis: 'payload',
    about: `64 in flight, of the largest ${FEW_IN_FLIGHT}; 1 partition`,
    point: payload,
    steps: [
      ...[100, KIB, 10 * KIB, 100 * KIB].map((bytes) => request(64, 1, bytes)),
      request(FEW_IN_FLIGHT, 1, LARGEST),
    ],
  },
  {
    name: 'clients',
    title: 'Request-reply: clients',
    axis: 'clients',
    about:
      '64 in flight in all, from as many processes; one server, 1 partition (of replies one for each client), 200 B',
    point: ({ clients = 1 }) => String(clients),
    steps: [1, 2, 4, 8].map((clients) => request(64, 1, 200, { clients })),
  },
  {
    name: 'event-partitions',
    title: 'Events: partitions',
    axis: 'partitions',
    about: 'drained by one process, 200 B',
    point: partitions,
    steps: [1, 6, 48].map((count) => consume(count)),
  },
  {
    name: 'event-payloads',
    title: 'Events: payloads',
    axis: 'payload',
    about: 'drained by one process from 1 partition',
    point: payload,
    steps: [
      consume(1, 100),
      consume(1, KIB, 0.5),
      consume(1, 10 * KIB, 0.1),
      consume(1, 100 * KIB, 0.05),
      consume(1, LARGEST, 0.005),
    ],
  },
];
