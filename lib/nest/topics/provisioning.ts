import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import type { Admin } from '../../kafkajs/admin/admin.js';
import { KafkaJSAggregateError, KafkaJSNonRetriableError } from '../../kafkajs/errors/index.js';
import { errorFrom, messageOf } from '../../values/describe.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import { ConfigResourceTypes } from '../../kafkajs/types/index.js';
import type { TopicsOptions } from '../options/index.js';
import type { WantedTopic } from './wanted-topics.js';

/** The logger of the provisioning. */
interface Log {
  log(message: string): void;
  warn(message: string): void;
}

/**
 * Creates missing topics before they are used, or only compares topics with their desired settings.
 *
 * @throws KafkaJSNonRetriableError naming every topic that is missing or differs, with `provision: 'validate'`, and with
 *   `'create'` every topic that cannot be made, with the broker's reason.
 */
export async function provision(
  kafka: Kafka,
  mode: TopicsOptions['provision'],
  wanted: readonly WantedTopic[],
  log: Log,
): Promise<void> {
  if (mode === undefined || mode === 'off' || wanted.length === 0) return;
  const admin = kafka.admin();
  await admin.connect();
  try {
    if (mode === 'create') {
      await createMissing(admin, wanted, log).catch((error: unknown) => {
        throw namingAll(error);
      });
    }
    const differences = await compare(admin, wanted);
    if (differences.length === 0) return;
    if (mode === 'validate') {
      const isMissing = differences.some((difference) => difference.endsWith(MISSING));
      const wayOut = isMissing ? "; options.topics.provision: 'create' makes those that are missing" : '';
      throw new KafkaJSNonRetriableError(
        `Topics are not as options.topics wants them: ${differences.join('; ')}. Change them, or the option${wayOut}`,
      );
    }
    log.warn(`Topics are not as options.topics wants them: ${differences.join('; ')}`);
  } finally {
    await admin.disconnect();
  }
}

/** How long brokers may take to hear of partitions that were added, and the wait between two questions, in milliseconds. */
const [PROPAGATION, PAUSE] = [5000, 100];

/** What is said of a topic that is not there. */
const MISSING = 'does not exist';

/** The message of a KafkaJSAggregateError, kafkajs's, does not contain its errors. */
function namingAll(error: unknown): unknown {
  if (!(error instanceof KafkaJSAggregateError)) return error;
  const reasons = error.errors.map((one) => {
    const { topic = '' } = one as { topic?: string };
    return topic === '' ? messageOf(one) : `${topic}: ${messageOf(one)}`;
  });
  return new KafkaJSNonRetriableError(
    `Topics cannot be made as options.topics wants them: ${reasons.join('; ')}`,
    { cause: error },
  );
}

async function createMissing(admin: Admin, wanted: readonly WantedTopic[], log: Log): Promise<void> {
  const partitions = await partitionsOf(admin, wanted);
  const missing = wanted.filter(({ name }) => !partitions.has(name));
  // Topics that others are modelled on come first, because brokers may decide their number of partitions.
  const rounds = [
    missing.filter(({ like }) => like === undefined),
    missing.filter(({ like }) => like !== undefined),
  ];
  for (const round of rounds) {
    if (round.length === 0) continue;
    const likes = await partitionsOf(
      admin,
      round.flatMap(({ like }) => (like === undefined ? [] : [{ name: like }])),
    );
    // False if another instance was first, which created the same topic.
    await admin.createTopics({
      topics: round.map(({ name, partitions: given, replicationFactor, config = {}, atLeast = 0, like }) => ({
        topic: name,
        numPartitions: numberOf(given, atLeast, like === undefined ? undefined : likes.get(like)?.count),
        replicationFactor: replicationFactor ?? -1,
        configEntries: Object.entries(config).map(([key, value]) => ({ name: key, value })),
      })),
    });
    log.log(`Topics made: ${round.map(({ name }) => name).join(', ')}`);
  }
  // The partition of a reply only decides which client reads it, so adding partitions is harmless.
  for (const topicPartition of shortOf(wanted, partitions))
    await addPartitions(admin, topicPartition, wanted, log);
}

interface WantedCount {
  readonly topic: string;
  readonly count: number;
}

/** Those of the topics that have fewer partitions than they need. */
function shortOf(wanted: readonly WantedTopic[], partitions: ReadonlyMap<string, Found>): WantedCount[] {
  return wanted.flatMap(({ name, atLeast = 0 }) => {
    const count = partitions.get(name)?.count;
    return count !== undefined && count < atLeast ? [{ topic: name, count: atLeast }] : [];
  });
}

/** Adds partitions to one topic, because another instance may be adding them too: then its request is refused. */
async function addPartitions(
  admin: Admin,
  short: WantedCount,
  wanted: readonly WantedTopic[],
  log: Log,
): Promise<void> {
  const { topic, count } = short;
  try {
    await admin.createPartitions({ topicPartitions: [short] });
    log.log(`Partitions added: ${topic} has ${count}`);
  } catch (error) {
    // The broker that is asked may hear of another instance's partitions a little later.
    const isRefused = (error as { type?: unknown }).type === 'INVALID_PARTITIONS';
    const deadline = performance.now() + (isRefused ? PROPAGATION : 0);
    for (;;) {
      const now = await partitionsOf(admin, [{ name: topic }]);
      if (shortOf(wanted, now).length === 0) return;
      if (performance.now() >= deadline) break;
      await setTimeoutPromise(PAUSE);
    }
    throw new KafkaJSNonRetriableError(
      `${topic} cannot get the ${count} partitions that options.topics.instances wants: ${messageOf(error)}`,
      { cause: errorFrom(error) },
    );
  }
}

/** The number of partitions or replicas; -1 for the brokers' default. */
function numberOf(given: number | undefined, atLeast: number, like: number | undefined): number {
  const wanted = given ?? like ?? -1;
  return atLeast > 1 ? Math.max(wanted, atLeast) : wanted;
}

interface Found {
  readonly count: number;
  readonly replicas: number;
}

/** The existing ones of these topics, with their number of partitions. */
async function partitionsOf(
  admin: Admin,
  wanted: readonly { readonly name: string }[],
): Promise<Map<string, Found>> {
  const existing = new Set(await admin.listTopics());
  const names = wanted.map(({ name }) => name).filter((name) => existing.has(name));
  if (names.length === 0) return new Map();
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  return new Map(
    topics.map(({ name, partitions }) => [
      name,
      {
        count: partitions.length,
        replicas: Math.min(...partitions.map((partition) => partition.replicas.length)),
      },
    ]),
  );
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Descriptions of all differences. */
async function compare(admin: Admin, wanted: readonly WantedTopic[]): Promise<string[]> {
  const found = await partitionsOf(admin, wanted);
  const configured = wanted.filter(({ name, config }) => config !== undefined && found.has(name));
  const settings = await settingsOf(admin, configured);
  return wanted.flatMap(({ name, partitions, replicationFactor, config = {}, atLeast = 0 }) => {
    const topic = found.get(name);
    if (topic === undefined) return [`${name} ${MISSING}`];
    const differences: string[] = [];
    if (topic.count < atLeast) {
      differences.push(
        `${name} has ${counted(topic.count, 'partition')} for ${atLeast} instances (options.topics.instances)`,
      );
    } else if (partitions !== undefined && topic.count !== Math.max(partitions, atLeast)) {
      differences.push(
        `${name} has ${counted(topic.count, 'partition')}, not ${Math.max(partitions, atLeast)}`,
      );
    }
    if (replicationFactor !== undefined && topic.replicas !== replicationFactor) {
      differences.push(`${name} has ${counted(topic.replicas, 'replica')}, not ${replicationFactor}`);
    }
    for (const [key, value] of Object.entries(config)) {
      const actual = settings.get(name)?.get(key);
      if (actual !== value) differences.push(`${name} has ${key}=${actual ?? '(unknown)'}, not ${value}`);
    }
    return differences;
  });
}

async function settingsOf(
  admin: Admin,
  topics: readonly WantedTopic[],
): Promise<Map<string, Map<string, string>>> {
  if (topics.length === 0) return new Map();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map(({ name, config = {} }) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: Object.keys(config),
    })),
  });
  return new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
}
