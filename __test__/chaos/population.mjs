/** Who takes part in a run: the processes, in their groups, and the topics that they work on. */

/** Deliveries of a record before it is put aside. */
export const MAX_ATTEMPTS = 3;

/** What is made anew, topic and all, and what gets more partitions, while a run lasts. */
export const RENEWED = 'renewed';
export const GROWING = 'plain';
/** Those whose leaders move. */
export const MOVING = ['events', 'plain', 'input'];

const EVENTS = { role: 'server', topics: ['events'], maxAttempts: MAX_ATTEMPTS };

/**
 * What runs: topics and their partitions; processes, each with how many of it there are. `stock` processes are kafkajs's: what
 * they do is told, and in a run with others not judged. `isStatic` members have a name of their own in the group.
 */
export const OURS = {
  topics: { events: 6, plain: 4, renewed: 2, ask: 3, 'ask.reply': 8, input: 3, output: 3 },
  processes: [
    { ...EVENTS, group: 'classic', count: 2 },
    { ...EVENTS, group: 'cooperative', count: 2, isCooperative: true },
    { ...EVENTS, group: 'kip-848', count: 2, isKip848: true },
    { ...EVENTS, group: 'static', count: 2, isStatic: true },
    { role: 'server', group: 'mixed', topics: ['plain'], count: 1 },
    { role: 'server', group: 'mixed', topics: ['plain'], count: 1, stock: true },
    { role: 'server', group: 'renewing', topics: ['renewed'], count: 1 },
    { role: 'server', group: 'answers', topics: [], requests: ['ask'], count: 2 },
    { role: 'client', group: 'askers', topic: 'ask', count: 2 },
    { role: 'client', group: 'assigned-askers', topic: 'ask', replies: 'assigned', count: 1 },
    { role: 'transformer', group: 'transformers', input: 'input', output: 'output', count: 2 },
    { role: 'producer', topics: ['events', 'events', 'plain', 'input', 'renewed'], count: 1 },
    { role: 'producer', topics: ['events', 'plain', 'input'], count: 1, transactional: true },
  ],
};

/** The same application over kafkajs alone, whose faults the checker has to find. */
export const STOCK = {
  topics: { events: 6, plain: 4, renewed: 2, input: 3, ask: 3, 'ask.reply': 8 },
  processes: [
    { role: 'server', group: 'stock', topics: ['events', 'plain'], count: 3, stock: true },
    { role: 'server', group: 'answers', topics: [], requests: ['ask'], count: 2, stock: true },
    { role: 'client', group: 'askers', topic: 'ask', count: 2, stock: true },
    { role: 'producer', topics: ['events', 'events', 'plain'], count: 2, stock: true },
  ],
};

/** Thirds of the processes that make sense alone, each with the producers: what a small machine runs in a short time. */
const PARTS = [
  ['classic', 'static', 'mixed'],
  ['cooperative', 'kip-848', 'transformers'],
  ['answers', 'askers', 'assigned-askers', 'renewing'],
];

/**
 * Who takes part in a run, by its settings: kafkajs's alone, all of ours, or the third of them that belongs to the seed.
 *
 * @param {import('./run.mjs').Run} run
 */
export function populationOf({ stock, part, seed, prefix }) {
  if (stock) return named(STOCK, prefix);
  const groups = PARTS[seed % PARTS.length];
  const isPart = ({ group }) => !part || group === undefined || groups.includes(group);
  return named({ ...OURS, processes: OURS.processes.filter(isPart) }, prefix);
}

/**
 * A population under names of its own, so that one cluster can have several runs.
 *
 * @param {typeof OURS} population
 * @param {string} prefix of all topics and groups
 */
function named({ topics, processes }, prefix) {
  const own = (name) => `${prefix}.${name}`;
  const groups = processes.filter(({ maxAttempts }) => maxAttempts !== undefined);
  const dead = groups.map(({ group }) => [deadLetters(own(group)), 1]);
  return {
    topics: Object.fromEntries([
      ...Object.entries(topics).map(([topic, partitions]) => [own(topic), partitions]),
      ...dead,
    ]),
    processes: processes.map((kind) => {
      const { group, topics: read, requests, topic, input, output } = kind;
      return {
        ...kind,
        stem: [kind.stock && 'stock', group ?? kind.role, kind.transactional && 'tx']
          .filter(Boolean)
          .join('-'),
        ...(group && { group: own(group) }),
        ...(read && { topics: read.map(own) }),
        ...(requests && { requests: requests.map(own) }),
        ...(topic && { topic: own(topic) }),
        ...(input && { input: own(input), output: own(output) }),
      };
    }),
  };
}

/** Where a group puts aside what it cannot handle. */
export function deadLetters(group) {
  return `${group}.dead`;
}
