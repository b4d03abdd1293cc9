// Calls public methods with anything, at any time, several at once.  node fuzz.mjs <seed> <seconds> <broker>
// Ends with 0 and "<n> calls, nothing found", or with 1 and what was found: a rejection that is nobody's, an exception that nobody
// catches, a promise that stays open. An abort shows by itself; the calls of its round are in the last lines of stdout.
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { ClientKafka, Kafka, ServerKafka } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';

const [, , seedText, secondsText, broker] = process.argv;
/** Longest time that a call may take once everything has been closed, in milliseconds. */
const LONGEST = 60_000;

let state = Number(seedText) >>> 0;
/** mulberry32 */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

const found = [];
let calls = 0;
let round = [];
function report(what, error) {
  found.push(`${what}: ${inspect(error, { depth: 2 })}`);
}
process.on('unhandledRejection', (error) => report('unhandled rejection', error));
process.on('uncaughtException', (error) => report('uncaught exception', error));

Logger.overrideLogger({
  log() {},
  warn() {},
  debug() {},
  verbose() {},
  error() {
    if (random() < 0.1) throw new Error('a logger throws');
  },
});

/** Throws from every trap, or from one. */
const bad = () => {
  throw new Error('a trap throws');
};
function hostile() {
  return new Proxy(
    below(2) ? {} : () => 1,
    pick([{ get: bad }, { ownKeys: bad }, { has: bad }, { get: bad, ownKeys: bad, has: bad }]),
  );
}
const circular = () => {
  const o = { n: 1 };
  o.self = o;
  return o;
};
const TOPIC = `fuzz-${seedText}`;
const SCALARS = [
  undefined,
  null,
  0,
  -1,
  1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  true,
  false,
  '',
  'x',
  TOPIC,
  `${TOPIC}.reply`,
  '\0',
  '..',
  'ä€😀',
  '-1',
  '18446744073709551616',
  10n,
  Symbol('s'),
  '__proto__',
  'constructor',
  /fuzz-.*/,
  '(',
];
const NAMES = [
  'topic',
  'topics',
  'partition',
  'partitions',
  'offset',
  'messages',
  'value',
  'key',
  'headers',
  'timestamp',
  'acks',
  'timeout',
  'compression',
  'groupId',
  'groupIds',
  'eachMessage',
  'eachBatch',
  'autoCommit',
  'resources',
  'type',
  'name',
  'configNames',
  'configEntries',
  'acl',
  'fromBeginning',
  'consumerGroupId',
  'topicMessages',
  'numPartitions',
  'replicationFactor',
  'count',
  'topicPartitions',
  'resourceType',
  'resourceName',
  'principal',
  'host',
  'operation',
  'permissionType',
  'resourcePatternType',
  'partitionsConsumedConcurrently',
  'earliest',
  'pattern',
  'data',
  'waitForLeaders',
  'validateOnly',
];
function anything(depth = 0) {
  const kind = below(depth > 3 ? 3 : 11);
  if (kind < 3) return pick(SCALARS);
  if (kind === 3) return hostile();
  if (kind === 4) return circular();
  if (kind === 5)
    return pick([
      new Uint8Array(3),
      new Uint32Array(2),
      new DataView(new ArrayBuffer(1)),
      Buffer.from('b'),
      new Map([[1, 2]]),
      new Date(Number.NaN),
    ]);
  if (kind === 6)
    return pick([
      () => undefined,
      () => {
        throw new Error('a callback throws');
      },
      async () => {
        throw circular();
      },
      () => hostile(),
    ]);
  if (kind === 7) return Array.from({ length: below(4) }, () => anything(depth + 1));
  const object = Object.create(pick([Object.prototype, Object.prototype, null]));
  for (let i = below(5); i > 0; i--) object[pick(NAMES)] = anything(depth + 1);
  return object;
}

/** Arguments that are right, to get further, with something replaced now and then. */
const GOOD = {
  send: () => [{ topic: TOPIC, messages: [{ value: 'v', headers: { a: 'b' } }] }],
  sendBatch: () => [{ topicMessages: [{ topic: TOPIC, messages: [{ value: 'v' }] }] }],
  subscribe: () => [{ topics: [TOPIC], fromBeginning: true }],
  run: () => [
    {
      eachMessage: async () => {
        if (below(20) === 0) throw pick([circular(), new Error('a handler throws'), hostile(), 5]);
      },
    },
  ],
  seek: () => [{ topic: TOPIC, partition: 0, offset: '0' }],
  pause: () => [[{ topic: TOPIC }]],
  resume: () => [[{ topic: TOPIC }]],
  commitOffsets: () => [[{ topic: TOPIC, partition: 0, offset: '1' }]],
  on: () => [
    pick([
      'consumer.connect',
      'consumer.crash',
      'consumer.group_join',
      'producer.connect',
      'admin.connect',
      'consumer.network.request',
    ]),
    pick([
      () => {
        throw hostile();
      },
      async () => {
        throw circular();
      },
    ]),
  ],
  createTopics: () => [{ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: false }],
  deleteTopics: () => [{ topics: [`${TOPIC}-none`], timeout: 1000 }],
  fetchTopicMetadata: () => [{ topics: [TOPIC] }],
  fetchTopicOffsets: () => [TOPIC],
  fetchOffsets: () => [{ groupId: TOPIC, topics: [TOPIC] }],
  describeGroups: () => [[TOPIC]],
  describeConfigs: () => [{ includeSynonyms: false, resources: [{ type: 2, name: TOPIC }] }],
  listen: () => [() => undefined],
  addHandler: () => [
    pick([TOPIC, /fuzz/]),
    async () => {
      if (below(10) === 0) throw circular();
    },
    true,
  ],
  emit: () => [TOPIC, { hero: 1 }],
  emitBatch: () => [TOPIC, { messages: [{ hero: 1 }] }],
  subscribeToResponseOf: () => [TOPIC],
  sendOffsets: () => [
    { consumerGroupId: TOPIC, topics: [{ topic: TOPIC, partitions: [{ partition: 0, offset: '1' }] }] },
  ],
  failNext: () => ['Produce', 'REQUEST_TIMED_OUT', 1],
  createTopic: () => [`${TOPIC}-${below(1000)}`, 1],
};
/** Puts something else somewhere into an argument. */
function spoiled(value) {
  if (typeof value !== 'object' || value === null || below(3) === 0) return anything();
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const keys = Object.keys(copy);
  if (keys.length === 0) return anything();
  const key = pick(keys);
  copy[key] = spoiled(copy[key]);
  return copy;
}
function argumentsOf(method) {
  const good = GOOD[method]?.();
  if (method === 'send' && below(2)) return [TOPIC, anything()];
  if (good === undefined || below(4) === 0) return Array.from({ length: below(4) }, () => anything());
  return below(2) ? good : good.map((argument) => (below(2) ? spoiled(argument) : argument));
}

function methodsOf(object) {
  const names = new Set();
  for (let at = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    // NestJS's own part of its clients and servers is not what is tried here: some of it ends the process.
    if (['ClientProxy', 'Server'].includes(at.constructor?.name)) break;
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  names.delete('constructor');
  // NestJS's own, and what this package marks as internal.
  for (const name of [
    'attach',
    'channel',
    'dispatch',
    'place',
    'complete',
    'untilClosed',
    'retire',
    'partitionOf',
    'heartbeat',
    'describeShortage',
  ])
    names.delete(name);
  return [...names].filter((name) => {
    try {
      return typeof object[name] === 'function';
    } catch {
      return false;
    }
  });
}

const waiting = new Map();
let number = 0;
function watch(promise, label) {
  const id = number++;
  waiting.set(id, label);
  const settle = async () => {
    try {
      await promise;
    } catch {
      // The caller's.
    }
    waiting.delete(id);
  };
  settle();
}
/** A promise or an Observable of an answer is waited for. */
function follow(answer, label, made) {
  try {
    if (typeof answer !== 'object' || answer === null) return;
    if (typeof answer.then === 'function') {
      watch(answer, label);
      answer.then(
        (value) => made(value),
        () => undefined,
      );
    } else if (typeof answer.subscribe === 'function' && !label.endsWith('.status')) {
      watch(
        new Promise((resolve) => {
          answer.subscribe({ error: resolve, complete: resolve });
        }),
        label,
      );
    }
  } catch (error) {
    report(`${label} answered something odd`, error);
  }
}

const PROTECTED = new Set([
  'createClient',
  'start',
  'bindEvents',
  'bindTopics',
  'handleRecord',
  'publish',
  'dispatchEvent',
  'dispatchBatchEvent',
  'handleClose',
  'createObserver',
  'serializeError',
  'registerConsumerEventListeners',
  'registerProducerEventListeners',
  'getReplyTopicPartition',
  'getResponsePatternName',
  'initializeSerializer',
  'initializeDeserializer',
  'connect$',
  'normalizePattern',
  'getOptionsProp',
  'createPacket',
  'transformToObservable',
  'handleEvent',
  'loadPackage',
  'handleError',
  'deserializePattern',
  'getRouteFromPattern',
  'processMessage',
  'setTransportId',
  'setOnProcessingStartHook',
  'setOnProcessingEndHook',
  'onProcessingStartHook',
  'assignPacketId',
  'routingMap',
  'getHandlers',
]);

function call(object, kind, method) {
  const args = argumentsOf(method);
  const label = `${kind}.${method}`;
  round.push(
    `${label}(${args
      .map((a) => {
        try {
          return inspect(a, { depth: 3, breakLength: Infinity });
        } catch {
          return 'hostile';
        }
      })
      .join(', ')})`,
  );
  if (process.env.FUZZ_TRACE) process.stdout.write(`${round.at(-1)}\n`);
  calls++;
  try {
    follow(object[method](...args), label, (made) => {
      if (method === 'transaction' && made) objects.push(['transaction', made]);
    });
  } catch (error) {
    // Thrown at the caller: his.
    void error;
  }
}

let objects = [];
const logCreators = [
  undefined,
  () => () => {
    throw new Error('a log function throws');
  },
  () => async () => {
    throw circular();
  },
  () => () => undefined,
];

async function one(mock) {
  round = [];
  objects = [];
  const brokers = pick([[broker], mock.brokers, mock.brokers, ['127.0.0.1:1']]);
  const config = {
    brokers,
    logLevel: pick([0, 1]),
    connectionTimeout: 2000,
    requestTimeout: 3000,
    retry: { retries: 1, initialRetryTime: 20 },
    ...(below(2) && { logCreator: pick(logCreators) }),
  };
  const group = `${TOPIC}-${below(3)}`;
  const short = {
    sessionTimeout: 6000,
    ...(brokers === mock.brokers && MockKafka.consumerOptions),
    drainTimeout: 2000,
  };
  const make = [
    [
      'producer',
      () =>
        new Kafka(config).producer({
          allowAutoTopicCreation: true,
          ...(below(4) === 0 && {
            createPartitioner: () =>
              pick([
                () => 0,
                () => {
                  throw hostile();
                },
                async () => {
                  throw new Error('a partitioner rejects');
                },
                () => anything(),
              ]),
          }),
        }),
    ],
    [
      'producer',
      () => new Kafka(config).producer({ transactionalId: group, maxInFlightRequests: 1, idempotent: true }),
    ],
    [
      'consumer',
      () =>
        new Kafka(config).consumer({
          groupId: group,
          ...short,
          retry: {
            retries: 0,
            initialRetryTime: 20,
            restartOnFailure: pick([
              undefined,
              async () => true,
              () => {
                throw hostile();
              },
            ]),
          },
        }),
    ],
    ['admin', () => new Kafka(config).admin()],
    [
      'client',
      () =>
        new ClientKafka({
          client: config,
          consumer: { groupId: group, ...short },
          producerOnlyMode: below(2) === 0,
          replyTimeout: 2000,
        }),
    ],
    ['server', () => new ServerKafka({ client: config, consumer: { groupId: group, ...short } })],
    ['kafka', () => new Kafka(config)],
  ];
  for (let i = 1 + below(2); i > 0; i--) {
    const [kind, maker] = pick(make);
    objects.push([kind, maker()]);
    const odd = [
      () => new Kafka(anything()),
      () => new Kafka({ ...config, [pick(NAMES)]: anything() }),
      () => new ClientKafka(anything()),
      () => new ServerKafka({ client: anything(), consumer: anything() }),
      () => new Kafka(config).consumer(anything()),
      () => new Kafka(config).producer(anything()),
      () => new Kafka(config).admin(anything()),
      () => MockKafka.start(anything())?.stop(),
    ];
    try {
      const made = pick(odd)();
      if (typeof made?.then === 'function') watch(made, 'MockKafka.stop');
    } catch {
      // Refused: as it should be.
    }
  }
  if (below(3) === 0) objects.push(['mock', mock]);
  const steps = 5 + below(25);
  for (let i = 0; i < steps; i++) {
    const [kind, object] = pick(objects);
    const starters = {
      server: ['listen', 'addHandler'],
      client: ['connect', 'subscribeToResponseOf', 'send', 'emit', 'close'],
      consumer: ['connect', 'subscribe', 'run', 'stop', 'disconnect'],
    }[kind] ?? ['connect', 'disconnect'];
    const all = methodsOf(object).filter(
      (name) => !PROTECTED.has(name) && !(kind === 'mock' && name === 'stop'),
    );
    const method = below(2) ? pick(starters) : pick(all);
    if (typeof object[method] === 'function') call(object, kind, method);
    if (kind === 'kafka') for (const [, made] of objects) void made;
    if (below(3) === 0)
      await new Promise((resolve) => {
        setTimeout(resolve, below(4) === 0 ? below(300) : 0);
      });
  }
  for (const [kind, object] of objects.toReversed()) {
    const close = { server: 'close', client: 'close', transaction: 'abort' }[kind] ?? 'disconnect';
    if (typeof object[close] === 'function') follow(object[close](), `${kind}.${close}`, () => undefined);
  }
  const until = Date.now() + LONGEST;
  while (waiting.size > 0 && found.length === 0 && Date.now() < until)
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  // After a finding nothing has been waited for.
  if (found.length === 0) for (const label of waiting.values()) report('still open', label);
  waiting.clear();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const end = Date.now() + Number(secondsText) * 1000;
let rounds = 0;
while (Date.now() < end && found.length === 0) {
  const mock = MockKafka.start({ topics: { [TOPIC]: 2, [`${TOPIC}.reply`]: 2 } });
  for (let i = 0; i < 10 && Date.now() < end && found.length === 0; i++) {
    await one(mock);
    rounds++;
  }
  await mock.stop();
}
if (found.length > 0) {
  process.stdout.write(
    `${round.join('\n')}\n\nround ${rounds} of seed ${seedText}:\n${[...new Set(found)].join('\n')}\n`,
  );
  process.exit(1);
}
process.stdout.write(`${calls} calls, nothing found\n`);
process.exit(0);
