// Calls public methods with anything, at any time, several at once.  node fuzz.mjs <seed> <seconds> <broker>
// Ends with 0 and "<n> calls, nothing found", or with 1 and what was found: a rejection that is nobody's, an exception that nobody
// catches, a promise that stays open. An abort shows by itself; the calls of its round are in the last lines of stdout.
import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { ClientKafka, Kafka, ServerKafka } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { argumentsOf } from './arguments.mjs';
import { follow, found, report, waiting, watch } from './findings.mjs';
import { methodsOf } from './methods.mjs';
import { below, pick, random, seed } from './random.mjs';
import { anything, circular, hostile, NAMES, TOPIC } from './values.mjs';

const [, , , secondsText, broker] = process.argv;
/** Longest time that a call may take once everything has been closed, in milliseconds. */
const LONGEST = 60_000;

let calls = 0;
let round = [];

Logger.overrideLogger({
  log() {},
  warn() {},
  debug() {},
  verbose() {},
  error() {
    if (random() < 0.1) throw new Error('a logger throws');
  },
});

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
    const all = methodsOf(object).filter((name) => !(kind === 'mock' && name === 'stop'));
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
    `${round.join('\n')}\n\nround ${rounds} of seed ${seed}:\n${[...new Set(found)].join('\n')}\n`,
  );
  process.exit(1);
}
process.stdout.write(`${calls} calls, nothing found\n`);
process.exit(0);
