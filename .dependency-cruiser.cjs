// Which room of lib/ may import which: from the bottom up, nothing imports what stands above it. `npm run check` runs it.

/** A room, and the rooms that it may import besides itself. A file counts as a room of its own where it is named with its suffix. */
const ROOMS = {
  // Knows nothing of Kafka.
  values: [],
  boundary: [],
  application: ['values'],
  // kafkajs's types and errors, which everything speaks.
  'kafkajs/types': ['kafkajs/errors'],
  'kafkajs/errors': ['values', 'kafkajs/types/cluster.ts'],
  'kafkajs/types/cluster.ts': ['kafkajs/types'],
  'lifecycle.ts': ['application', 'kafkajs/errors'],
  // The core: its handles, its events, its packed buffers.
  native: ['boundary', 'kafkajs/errors', 'kafkajs/types'],
  codec: ['boundary', 'values', 'kafkajs/types'],
  // kafkajs's words for retrying, logging and instrumentation.
  'kafkajs/retry': ['kafkajs/errors', 'kafkajs/types'],
  'kafkajs/logger.ts': ['application', 'values', 'kafkajs/types'],
  'kafkajs/topic-name.ts': ['kafkajs/errors'],
  'kafkajs/offsets.ts': ['values', 'native', 'kafkajs/errors', 'kafkajs/types'],
  'kafkajs/instrumentation': ['application', 'boundary', 'kafkajs/errors', 'kafkajs/types', 'values'],
  // What an application may configure.
  options: [
    'values',
    'kafkajs/errors',
    'kafkajs/types',
    'kafkajs/retry',
    'kafkajs/logger.ts',
    'kafkajs/topic-name.ts',
    'kafkajs/group/partition-assigners.ts',
  ],
  // Handlers over partitions, whoever's handlers they are.
  runner: ['application', 'boundary', 'codec', 'values', 'kafkajs/retry'],
  // Requests and replies over Kafka.
  rpc: ['boundary', 'native', 'kafkajs/errors'],
  // kafkajs's clients.
  'kafkajs/cluster': [
    'application',
    'boundary',
    'kafkajs/instrumentation',
    'native',
    'options',
    'values',
    'kafkajs/errors',
    'kafkajs/retry',
    'kafkajs/types',
  ],
  'kafkajs/group/partition-assigners.ts': ['values', 'kafkajs/errors', 'kafkajs/types', 'kafkajs/group'],
  'kafkajs/group': [
    'application',
    'native',
    'options',
    'rpc',
    'runner',
    'values',
    'kafkajs/cluster',
    'kafkajs/errors',
    'kafkajs/group/partition-assigners.ts',
    'kafkajs/instrumentation',
    'kafkajs/offsets.ts',
    'kafkajs/topic-name.ts',
    'kafkajs/types',
  ],
  'kafkajs/consumer': [
    'application',
    'boundary',
    'codec',
    'lifecycle.ts',
    'native',
    'options',
    'runner',
    'values',
    'kafkajs/cluster',
    'kafkajs/errors',
    'kafkajs/group',
    'kafkajs/instrumentation',
    'kafkajs/offsets.ts',
    'kafkajs/retry',
    'kafkajs/types',
  ],
  'kafkajs/producer': [
    'application',
    'boundary',
    'codec',
    'lifecycle.ts',
    'native',
    'options',
    'rpc',
    'values',
    'kafkajs/cluster',
    'kafkajs/errors',
    'kafkajs/instrumentation',
    'kafkajs/offsets.ts',
    'kafkajs/retry',
    'kafkajs/topic-name.ts',
    'kafkajs/types',
  ],
  'kafkajs/admin': [
    'boundary',
    'lifecycle.ts',
    'native',
    'options',
    'values',
    'kafkajs/cluster',
    'kafkajs/errors',
    'kafkajs/instrumentation',
    'kafkajs/offsets.ts',
    'kafkajs/retry',
    'kafkajs/types',
  ],
  'kafkajs/kafka.ts': [
    'options',
    'kafkajs/admin',
    'kafkajs/consumer',
    'kafkajs/instrumentation',
    'kafkajs/logger.ts',
    'kafkajs/producer',
    'kafkajs/types',
  ],
  // Integrations, each behind an entry of its own.
  opentelemetry: ['kafkajs/instrumentation', 'kafkajs/types'],
  prometheus: ['kafkajs/instrumentation', 'kafkajs/types'],
  terminus: ['kafkajs/instrumentation'],
  'msk-iam': ['kafkajs/errors', 'kafkajs/types'],
  testing: ['native', 'kafkajs/errors'],
};

/** What stands above kafkajs: NestJS's side, the command, and the entries of the package. */
const ABOVE = [
  'opentelemetry.ts',
  'prometheus.ts',
  'msk-iam.ts',
  'postgres.ts',
  'redis.ts',
  'schema-registry.ts',
  'terminus.ts',
  'nest',
  'command',
  'index.ts',
  'kafka.ts',
  'register.ts',
  'testing.ts',
  'worker.ts',
];

const pathOf = (room) => (room.endsWith('.ts') ? `^lib/${room.replace('.ts', '[.]ts')}$` : `^lib/${room}/`);

const rooms = Object.entries(ROOMS).map(([room, allowed]) => {
  // A file that is a room of its own inside of another one has its own rule.
  const inner = Object.keys(ROOMS).filter((other) => other !== room && other.startsWith(`${room}/`));
  return {
    name: `${room} imports only what is below it`,
    severity: 'error',
    from: { path: pathOf(room), pathNot: inner.map(pathOf) },
    to: { path: '^lib/', pathNot: [room, ...allowed].map(pathOf) },
  };
});

module.exports = {
  forbidden: [
    ...rooms,
    {
      name: 'every file is in a room',
      comment: 'A new folder of lib/ says above what it may import.',
      severity: 'error',
      from: { path: '^lib/', pathNot: [...Object.keys(ROOMS), ...ABOVE].map(pathOf) },
      to: {},
    },
    {
      name: 'kafkajs without NestJS',
      comment: 'The entry nestjs-kafka-native/kafka loads nothing of NestJS and RxJS.',
      severity: 'error',
      from: {
        path: '^lib/',
        pathNot: [
          '^lib/(nest|command|terminus)/',
          '^lib/(index|postgres|redis|register|schema-registry|worker)[.]ts$',
        ],
      },
      to: { path: '(^lib/nest/|node_modules/(@nestjs|rxjs|reflect-metadata)/)' },
    },
    {
      name: 'nothing imports the command',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/command/' },
      to: { path: '^lib/command/' },
    },
    {
      name: "NestJS's internals in one place",
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/nest/internals[.]ts$' },
      to: { path: 'node_modules/@nestjs/[^/]+/.+/', pathNot: 'node_modules/@nestjs/[^/]+/(dist/)?index[.]' },
    },
    {
      name: 'the binding in one place',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/native/index[.]ts$' },
      to: { path: '^(binding/|index[.](js|d[.]ts)$)' },
    },
    { name: 'no circles', severity: 'error', from: { path: '^lib/' }, to: { circular: true } },
    { name: 'no dead import', severity: 'error', from: { path: '^lib/' }, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // What is only a type counts: who reads a file has to know what it names.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node'] },
  },
};
