// Starts a real Apache Kafka: broker and controller in one process (KRaft), on this machine, with a data directory
// of its own. For the tests, the benchmark and the examples.
//
//   import { startBroker, startCluster } from './start.mjs';
//   await using broker = await startBroker({ properties: { 'message.max.bytes': 2000 } });
//   await using cluster = await startCluster();     // three of them
//
//   node __test__/broker/start.mjs 9092 auto.create.topics.enable=false     # in the foreground, until Ctrl-C

import { fork, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CACHE, KAFKA_VERSION, kafkaJars, requireTool } from './jars.mjs';
import { freePorts, HOST } from './ports.mjs';

const GUARD = fileURLToPath(new URL('guard.mjs', import.meta.url));
const LOGGING = fileURLToPath(new URL('log4j2.xml', import.meta.url));

/** Written by Kafka when the listeners serve: it has registered with its controller and is unfenced. */
const STARTED = 'Kafka Server started';
const CLUSTER_ID = 'bmVzdGpzLWthZmthLW5hdA';
const PREFIX = 'nestjs-kafka-native-broker-';

const START_TIMEOUT = 90_000;
/** A stop waits for log flushes; a broker whose process was stopped (SIGSTOP) never answers. */
const STOP_TIMEOUT = 20_000;

/** Starts in half the time of the JVM's defaults, and two brokers fit a small machine. */
const TEST_JVM = ['-Xms128m', '-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'];

/**
 * What differs in a cluster: everything is on all nodes, one of which may be away, and a partition's leadership goes back to the
 * first of its replicas within seconds.
 */
const REPLICATED = {
  'default.replication.factor': 3,
  'min.insync.replicas': 2,
  'offsets.topic.replication.factor': 3,
  'transaction.state.log.replication.factor': 3,
  'transaction.state.log.min.isr': 2,
  'share.coordinator.state.topic.replication.factor': 3,
  'share.coordinator.state.topic.min.isr': 2,
  'leader.imbalance.check.interval.seconds': 2,
  'leader.imbalance.per.broker.percentage': 0,
};

const temporary = new Set();
process.on('exit', () => {
  for (const directory of temporary) rmSync(directory, { recursive: true, force: true });
});

/** See start.d.mts. */
export async function startBroker(options = {}) {
  const broker = await makeBroker(options);
  try {
    await broker.startFirst(options.port);
  } catch (error) {
    await broker.dispose();
    throw error;
  }
  return broker;
}

/** See start.d.mts. */
export async function startCluster({ size = 3, properties = {}, ...options } = {}) {
  const ports = new Set();
  while (ports.size < size) ports.add(await freePorts());
  const members = [...ports].map((port, index) => ({ id: index + 1, port }));
  const voters = members.map(({ id, port }) => `${id}@${HOST}:${port + 1}`).join(',');
  const nodes = await Promise.all(
    members.map(({ id }) => {
      const own = { 'node.id': id, 'controller.quorum.voters': voters };
      return makeBroker({ ...options, properties: { ...REPLICATED, ...properties, ...own } });
    }),
  );
  const dispose = async () => {
    await Promise.all(nodes.map((node) => node.dispose()));
  };
  // A node serves only when most of them are there: they start together.
  const starts = await Promise.allSettled(nodes.map((node, index) => node.startFirst(members[index].port)));
  const failed = starts.find(({ status }) => status === 'rejected');
  if (failed) {
    await dispose();
    throw failed.reason;
  }
  const brokers = nodes.map((node) => node.brokers);
  return { brokers, node: (id) => nodes[id - 1], dispose, [Symbol.asyncDispose]: dispose };
}

async function makeBroker(options) {
  const { properties = {}, dataDir, jvm = TEST_JVM, formatArguments = [], classes = [] } = options;
  const progress = options.onProgress ?? ((line) => process.stderr.write(`broker: ${line}\n`));
  await requireTool(
    'java',
    ['-version'],
    'a Java runtime, version 17 or newer, is needed on the PATH to run Kafka',
  );
  const jars = await kafkaJars(progress);

  const directory = dataDir ? resolve(dataDir) : temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  return new Broker({
    directory,
    ownsDirectory: !dataDir,
    logFile: resolve(options.logFile ?? join(directory, 'broker.log')),
    java: [...jvm, `-Dlog4j2.configurationFile=${LOGGING}`, '-cp', [`${jars}/*`, ...classes].join(delimiter)],
    clusterId: options.clusterId ?? CLUSTER_ID,
    properties,
    formatArguments,
    version: KAFKA_VERSION,
  });
}

class Broker {
  #settings;
  #guard;
  #exited;
  #port;

  constructor(settings) {
    this.#settings = settings;
  }

  get port() {
    return this.#port;
  }

  get brokers() {
    return `${HOST}:${this.#port}`;
  }

  get dataDir() {
    return this.#settings.directory;
  }

  get logFile() {
    return this.#settings.logFile;
  }

  get version() {
    return this.#settings.version;
  }

  /** Another process may take a free port between the look and the bind, so a failed bind is tried again. */
  async startFirst(port) {
    for (let attempt = 1; ; attempt += 1) {
      this.#port = port ?? (await freePorts());
      this.#configure();
      if (attempt === 1) await this.#format();
      try {
        await this.#launch();
        return;
      } catch (error) {
        if (port !== undefined || attempt === 3 || !error.message.includes('Address already in use'))
          throw error;
        rmSync(this.logFile, { force: true });
      }
    }
  }

  async stop() {
    await this.#end('SIGTERM', STOP_TIMEOUT);
  }

  async kill(signal = 'SIGKILL') {
    const ends = !['SIGSTOP', 'SIGCONT'].includes(signal);
    if (ends) await this.#end(signal, STOP_TIMEOUT);
    else if (this.#guard?.connected) await send(this.#guard, { signal });
  }

  async restart({ signal = 'SIGTERM' } = {}) {
    await this.#end(signal, STOP_TIMEOUT);
    await this.#launch();
  }

  async dispose() {
    await this.#end('SIGKILL', STOP_TIMEOUT);
    const { directory, ownsDirectory } = this.#settings;
    if (ownsDirectory) rmSync(directory, { recursive: true, force: true });
    temporary.delete(directory);
  }

  async [Symbol.asyncDispose]() {
    await this.dispose();
  }

  #configure() {
    const { directory, properties } = this.#settings;
    const ports = { port: this.#port, controllerPort: this.#port + 1 };
    const settings = {
      ...defaults(directory, ports),
      ...(typeof properties === 'function' ? properties(ports) : properties),
    };
    const lines = Object.entries(settings).map(
      ([name, value]) => `${name}=${String(value).replaceAll('\\', '/')}\n`,
    );
    writeFileSync(join(directory, 'server.properties'), lines.join(''));
  }

  /**
   * Writes the cluster's identity into the data directory. That takes a second JVM two seconds and depends on
   * nothing but the version and the node, so the result is kept beside the jars and copied.
   */
  async #format() {
    const { directory, java, formatArguments, properties, clusterId } = this.#settings;
    const log = join(directory, 'log');
    if (existsSync(join(log, 'meta.properties'))) return;
    const isUsual = clusterId === CLUSTER_ID && !('log.dirs' in properties);
    const plain = formatArguments.length === 0 && isUsual;
    const kept = join(CACHE, `formatted-${properties['node.id'] ?? 1}`);
    if (plain && existsSync(kept)) {
      cpSync(kept, log, { recursive: true });
      return;
    }
    const tool = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterId];
    const config = ['--config', join(directory, 'server.properties')];
    const { status, stdout, stderr } = spawnSync('java', [...java, ...tool, ...config, ...formatArguments], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`Kafka's StorageTool could not format ${log}:\n${stdout}${stderr}`);
    if (!plain) return;
    const copy = mkdtempSync(`${kept}-`);
    cpSync(log, copy, { recursive: true });
    await rename(copy, kept).catch(() => rmSync(copy, { recursive: true, force: true }));
  }

  async #launch() {
    const { directory, ownsDirectory, logFile, java } = this.#settings;
    const server = ['kafka.Kafka', join(directory, 'server.properties')];
    const description = {
      command: 'java',
      args: [...java, ...server],
      logFile,
      started: STARTED,
      removeWhenOrphaned: ownsDirectory ? directory : undefined,
    };
    const guard = fork(GUARD, [JSON.stringify(description)], {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    // A forgotten broker must not keep its test process alive; the guard ends it when the process does.
    guard.unref();
    guard.channel.unref();
    this.#guard = guard;
    this.#exited = new Promise((ended) => {
      let how = 'its guard ended';
      guard.on('message', (message) => {
        if (message.event !== 'exit') return;
        how =
          message.error ??
          (message.signal ? `ended by ${message.signal}` : `ended with code ${message.code}`);
      });
      guard.on('exit', () => ended(how));
    });

    const started = new Promise((ready) => {
      guard.on('message', (message) => message.event === 'started' && ready());
    });
    const failed = this.#exited.then(async (how) => {
      throw new Error(`Kafka did not start, ${how}:\n${await tail(logFile)}`);
    });
    failed.catch(() => {});
    const late = async () => {
      const reason = `Kafka did not start within ${START_TIMEOUT / 1000} s:\n${await tail(logFile)}`;
      await this.kill('SIGKILL');
      throw new Error(reason);
    };
    guard.ref();
    guard.channel.ref();
    try {
      await within(START_TIMEOUT, Promise.race([started, failed]), late);
    } finally {
      guard.unref();
      guard.channel?.unref();
    }
  }

  async #end(signal, timeout) {
    const guard = this.#guard;
    if (!guard?.connected) return;
    guard.ref();
    await send(guard, { signal });
    await within(timeout, this.#exited, async () => {
      await send(guard, { signal: 'SIGKILL' });
      await this.#exited;
    });
    this.#guard = undefined;
  }
}

function defaults(directory, { port, controllerPort }) {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    listeners: `PLAINTEXT://${HOST}:${port},CONTROLLER://${HOST}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${HOST}:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'log.dirs': join(directory, 'log'),
    'num.partitions': 3,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A broker that was killed registers again only when its old session is over: 9 s by default.
    'broker.session.timeout.ms': 4000,
    'broker.heartbeat.interval.ms': 1000,
  };
}

/** A directory that ends with this process; those of processes that died with theirs are swept away first. */
function temporaryDirectory() {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
    if (pid > 0 && !isAlive(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  temporary.add(directory);
  return directory;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function send(guard, message) {
  return new Promise((sent) => {
    guard.send(message, () => sent());
  });
}

async function within(timeout, promise, late) {
  let timer;
  const lateness = new Promise((reached) => {
    timer = setTimeout(() => reached(late), timeout);
  });
  try {
    const winner = await Promise.race([promise, lateness]);
    return winner === late ? await late() : winner;
  } finally {
    clearTimeout(timer);
  }
}

async function tail(file) {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').slice(-40).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = '9092', ...properties] = process.argv.slice(2);
  const broker = await startBroker({
    port: Number(port),
    properties: Object.fromEntries(properties.map((property) => property.split(/=(.*)/s).slice(0, 2))),
  });
  process.stdout.write(`Apache Kafka ${broker.version} at ${broker.brokers}, log in ${broker.logFile}\n`);
  // The broker's own handles are weak: this one keeps the process until it is told to end.
  const forever = setInterval(() => {}, 2 ** 30);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      await broker.dispose();
      clearInterval(forever);
    });
  }
}
