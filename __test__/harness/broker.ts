import { randomBytes } from 'node:crypto';
import { Kafka, logLevel, type Admin, type GroupDescription, type Producer } from 'kafkajs';
import { makeTopics } from './topics.mjs';
import { until } from './wait';

/** The broker under test; every name the tests use on it is unique to the run. */
export const BROKERS = (process.env['KAFKA_BROKERS'] ?? '127.0.0.1:19092').split(',');

/** Plain kafkajs, with which tests write and read independently of both transports. */
export const kafka = new Kafka({ clientId: 'tests', brokers: BROKERS, logLevel: logLevel.NOTHING });

let counter = 0;

/** A topic, group or client name that no other test run has. */
export function unique(name: string): string {
  counter += 1;
  return `${name}-${process.pid.toString(36)}${randomBytes(4).toString('hex')}${counter}`;
}

let admin: Promise<Admin> | undefined;
let producer: Promise<Producer> | undefined;

function connectedAdmin(): Promise<Admin> {
  admin ??= (async () => {
    const created = kafka.admin();
    await created.connect();
    return created;
  })();
  return admin;
}

/** A connected plain producer, shared by the tests of one file. */
export function rawProducer(): Promise<Producer> {
  producer ??= (async () => {
    const created = kafka.producer({ allowAutoTopicCreation: false });
    await created.connect();
    return created;
  })();
  return producer;
}

/** Disconnects the clients that this module opened; call it in the file's last afterAll. */
export async function closeBroker(): Promise<void> {
  await Promise.all([(await admin)?.disconnect(), (await producer)?.disconnect()]);
  admin = undefined;
  producer = undefined;
}

/** Messages are kept for good: a broker deletes those that are older than its retention, as made-up timestamps are. */
const KEPT = { 'retention.ms': '-1' };

/**
 * Creates topics and waits until every partition answers. `topics` maps a name to its number of partitions. A
 * partition that is not ready yet would refuse its records, and kafkajs would then send those of the other partitions
 * again.
 */
export async function createTopics(
  topics: Record<string, number>,
  settings: Record<string, string> = {},
): Promise<void> {
  const configEntries = Object.entries({ ...KEPT, ...settings }).map(([name, value]) => ({ name, value }));
  const wanted = Object.entries(topics).map(([topic, numPartitions]) => ({
    topic,
    numPartitions,
    replicationFactor: 1,
    configEntries,
  }));
  await makeTopics(await connectedAdmin(), wanted).catch(sayWhy);
}

/** kafkajs's error for several topics does not contain their reasons. */
function sayWhy(error: Error & { errors?: { topic?: string; message: string }[] }): never {
  const reasons = (error.errors ?? []).map(({ topic, message }) => `${topic}: ${message}`);
  throw new Error([error.message, ...reasons].join('; '), { cause: error });
}

export async function describeGroup(groupId: string): Promise<GroupDescription> {
  const { groups } = await (await connectedAdmin()).describeGroups([groupId]);
  const [group] = groups;
  if (!group) throw new Error(`no description of group ${groupId}`);
  return group;
}

/** Committed offsets of a group: partition → offset; -1 where nothing was committed. */
export async function committed(groupId: string, topic: string): Promise<Record<number, number>> {
  const [found] = await (await connectedAdmin()).fetchOffsets({ groupId, topics: [topic] });
  const pairs = (found?.partitions ?? []).map(
    ({ partition, offset }) => [partition, Number(offset)] as const,
  );
  return Object.fromEntries(pairs);
}

/** Waits until the group's committed offset of one partition is `offset`. */
export function untilCommitted(groupId: string, topic: string, offset: number, partition = 0): Promise<true> {
  return until(`${groupId} has committed ${topic}[${partition}] up to ${offset}`, async () => {
    const offsets = await committed(groupId, topic);
    return offsets[partition] === offset;
  });
}

/** End offsets: partition → the offset the next record gets. */
export async function endOffsets(topic: string): Promise<Record<number, number>> {
  const offsets = await (await connectedAdmin()).fetchTopicOffsets(topic);
  return Object.fromEntries(offsets.map(({ partition, high }) => [partition, Number(high)]));
}

/** Whether the broker knows the topic. */
export async function topicExists(topic: string): Promise<boolean> {
  return (await (await connectedAdmin()).listTopics()).includes(topic);
}

/** Deletes a topic. Who uses it may make it anew at once: then there are no messages in it. */
export async function deleteTopic(topic: string): Promise<void> {
  await (await connectedAdmin()).deleteTopics({ topics: [topic] });
  await until(`${topic} is gone`, async () => {
    // Asked of a topic that is not there, kafkajs makes it.
    if (!(await topicExists(topic))) return true;
    const ends = await endOffsets(topic).catch(() => undefined);
    return ends !== undefined && Object.values(ends).every((end) => end === 0);
  });
}
