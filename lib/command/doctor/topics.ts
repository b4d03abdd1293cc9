import { matches } from '../../kafkajs/group/subscriptions.js';
import type { ITopicMetadata } from '../../kafkajs/types/index.js';
import type { Visit } from './visit.js';
import { counted } from './finding.js';

/** What topics accept unless they, or their brokers, are set otherwise: brokers' default of `message.max.bytes`. */
const USUALLY_ACCEPTED = 1_048_588;
const TOPIC = 2;

/** Checks the topics that the application reads and writes. */
export async function checkTopics(visit: Visit, brokers: number): Promise<void> {
  const { admin, diagnoses } = visit;
  const existing = new Set(await admin.listTopics());
  const wanted = wantedTopics(visit, existing);
  const createsItself = (await visit.brokerSetting('auto.create.topics.enable')) === 'true';
  const found: Wanted[] = [];
  for (const topic of wanted.values()) {
    if (existing.has(topic.name)) found.push(topic);
    else await missing(visit, topic, createsItself);
  }
  for (const server of visit.servers) {
    for (const { pattern } of server.handlers) {
      if (!(pattern instanceof RegExp) || [...existing].some((name) => matches(pattern, name))) continue;
      diagnoses.note(
        `No topic matches ${String(pattern)} yet, which the server of group ${server.groupId} handles`,
      );
    }
  }
  if (found.length > 0) {
    const topics = await admin.topicsAsTheyAre(found.map(({ name }) => name));
    const settings = await settingsOf(
      visit,
      found.map(({ name }) => name),
    );
    for (const topic of topics) {
      const use = wanted.get(topic.name);
      if (use !== undefined) checkTopic(visit, topic, use, brokers, settings.get(topic.name) ?? new Map());
    }
  }
  diagnoses.checked(counted(wanted.size, 'topic'));
}

interface Wanted {
  readonly name: string;
  /** Its use, for example `handled by group orders-server`. */
  readonly use: string;
  /** Whether it is the reply topic of a group of clients, each of which needs a partition of its own. */
  readonly isReplyOfGroup: boolean;
  readonly isHandled: boolean;
  /** Whether the options let it be created on first use. */
  readonly isMade: boolean;
  /** The largest message of the producers that write it: infinite where they leave the limit to the broker, 0 without any. */
  readonly largest: number;
}

/** The topics of handlers, requests and dead letters. */
function wantedTopics({ servers, clients }: Visit, existing: ReadonlySet<string>): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  const add = (topic: Wanted): void => {
    const known = wanted.get(topic.name);
    wanted.set(topic.name, {
      ...topic,
      use: known?.use ?? topic.use,
      isReplyOfGroup: topic.isReplyOfGroup || known?.isReplyOfGroup === true,
      isHandled: topic.isHandled || known?.isHandled === true,
      isMade: topic.isMade && known?.isMade !== false,
      largest: Math.max(topic.largest, known?.largest ?? 0),
    });
  };
  for (const { options, groupId, handlers } of servers) {
    if (isProvisioned(options)) continue;
    const isMade = makesTopics(options['consumer']);
    for (const { pattern } of handlers) {
      const names =
        typeof pattern === 'string' ? [pattern] : [...existing].filter((name) => matches(pattern, name));
      for (const name of names) {
        const use = `handled by group ${groupId}`;
        add({ name, use, isReplyOfGroup: false, isHandled: true, isMade, largest: 0 });
      }
    }
  }
  for (const { options, groupId, requests } of clients) {
    if (isProvisioned(options)) continue;
    const isMade = makesTopics(options['consumer']);
    const isReplyOfGroup = options['replies'] !== 'assigned';
    const largest = largestMessage(options);
    for (const { topic, replyTopic } of requests) {
      const use = `requests of group ${groupId}`;
      add({
        name: topic,
        use,
        isReplyOfGroup: false,
        isHandled: false,
        isMade: makesTopics(options['producer']),
        largest,
      });
      add({
        name: replyTopic,
        use: `replies to group ${groupId}`,
        isReplyOfGroup,
        isHandled: false,
        isMade,
        largest: 0,
      });
    }
  }
  return wanted;
}

/** Whether the application creates or compares its topics at its start, which reports more than this check can. */
const isProvisioned = (options: Readonly<Record<string, unknown>>): boolean =>
  ['create', 'validate'].includes(
    (options['topics'] as { provision?: string } | undefined)?.provision ?? 'off',
  );

/** By default, as in kafkajs, brokers may create missing topics. */
const makesTopics = (options: unknown): boolean =>
  (options as { allowAutoTopicCreation?: boolean } | undefined)?.allowAutoTopicCreation !== false;

/** `message.max.bytes` where the application sets it; this package's own setting is beyond what brokers accept. */
function largestMessage(options: Readonly<Record<string, unknown>>): number {
  const raw = [options['client'], options['producer']].map(
    (section) =>
      (section as { librdkafka?: Record<string, unknown> } | undefined)?.librdkafka?.['message.max.bytes'],
  );
  return Number(raw[1] ?? raw[0] ?? Number.POSITIVE_INFINITY);
}

async function missing(visit: Visit, topic: Wanted, createsItself: boolean): Promise<void> {
  const { diagnoses, instances } = visit;
  const { name, use, isMade, isReplyOfGroup } = topic;
  if (createsItself && isMade) {
    const partitions = Number(await visit.brokerSetting('num.partitions'));
    if (isReplyOfGroup && partitions < instances) {
      tooFewReplies(visit, topic, `will be made with ${partitions} partitions (num.partitions)`, '--create');
      return;
    }
    diagnoses.note(
      `${name} (${use}) is not there yet: the brokers make it when it is first used, as num.partitions and default.replication.factor say`,
    );
    return;
  }
  diagnoses.error('topic-missing', {
    what: `${name} (${use}) does not exist`,
    why: createsItself
      ? 'The brokers would make it, and allowAutoTopicCreation: false keeps the application from asking'
      : 'The brokers make no topics by themselves (auto.create.topics.enable=false)',
    fix: `kafka-topics.sh --create --topic ${name} --partitions ${instances} --bootstrap-server …`,
  });
}

async function settingsOf(
  { admin }: Visit,
  names: readonly string[],
): Promise<Map<string, Map<string, string>>> {
  try {
    const { resources } = await admin.describeConfigs({
      resources: names.map((name) => ({ type: TOPIC, name })),
      includeSynonyms: false,
    });
    return new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
  } catch {
    return new Map(); // Not authorized to ask: then this is not checked.
  }
}

function tooFewReplies(
  { diagnoses, instances }: Visit,
  { name, use }: Wanted,
  what: string,
  verb: '--create' | '--alter',
): void {
  diagnoses.error('reply-partitions', {
    what: `${name} (${use}) ${what} for ${instances} instances`,
    why: 'Each member of the group reads partitions of its own: those that get none cannot ask, and fail with InvalidKafkaClientTopicException',
    fix: `kafka-topics.sh ${verb} --topic ${name} --partitions ${instances} --bootstrap-server …, or replies: 'assigned' in the options of the client, which shares partitions`,
  });
}

function checkTopic(
  visit: Visit,
  { name, partitions }: ITopicMetadata,
  wanted: Wanted,
  brokers: number,
  settings: ReadonlyMap<string, string>,
): void {
  const { diagnoses, instances } = visit;
  const { use, isReplyOfGroup, isHandled, largest } = wanted;
  const more = `kafka-topics.sh --alter --topic ${name} --partitions ${instances} --bootstrap-server …`;
  if (isReplyOfGroup && partitions.length < instances) {
    tooFewReplies(visit, wanted, `has ${partitions.length} partitions`, '--alter');
  }
  if (isHandled && partitions.length < instances) {
    diagnoses.warning('handler-partitions', {
      what: `${name} (${use}) has ${partitions.length} partitions for ${instances} instances`,
      why: 'A partition is read by one instance: the others have nothing to do',
      fix: more,
    });
  }
  const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => partitionId);
  if (leaderless.length > 0) {
    diagnoses.error('no-leader', {
      what: `${name} has no leader for partitions ${leaderless.join(', ')}`,
      why: 'They can neither be read nor written until one of their replicas is back',
      fix: `kafka-topics.sh --describe --topic ${name} --bootstrap-server … names the brokers to bring back`,
    });
  }
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  const inSync = Math.min(...partitions.map((partition) => partition.isr.length));
  const least = Number(settings.get('min.insync.replicas') ?? 1);
  if (replicas === 1 && brokers > 1) {
    diagnoses.warning('replication', {
      what: `${name} (${use}) is on one broker of ${brokers}`,
      why: 'With that broker its messages are gone, for a while or for good',
      fix: `kafka-reassign-partitions.sh with a plan that gives ${name} ${Math.min(3, brokers)} replicas`,
    });
  } else if (replicas < least) {
    diagnoses.warning('replication', {
      what: `${name} (${use}) has ${replicas} replicas, and min.insync.replicas is ${least}`,
      why: 'Older brokers never acknowledge a message with acks: -1 then (NOT_ENOUGH_REPLICAS); newer ones want all replicas, so that none may be away',
      fix: `kafka-configs.sh --alter --topic ${name} --add-config min.insync.replicas=${replicas} --bootstrap-server …`,
    });
  }
  // A partition whose leader is away has been told of.
  if (leaderless.length === 0 && inSync < Math.min(least, replicas)) {
    diagnoses.error('in-sync', {
      what: `${name} (${use}) has ${inSync} replicas in sync, and min.insync.replicas is ${least}`,
      why: 'No message with acks: -1 is acknowledged until more are (NOT_ENOUGH_REPLICAS)',
      fix: `kafka-topics.sh --describe --topic ${name} --bootstrap-server … names the brokers to bring back`,
    });
  }
  const accepted = Number(settings.get('max.message.bytes') ?? Number.POSITIVE_INFINITY);
  const isSet = Number.isFinite(largest);
  const wished = isSet ? largest : USUALLY_ACCEPTED;
  if (wished > accepted) {
    diagnoses.warning('message-size', {
      what: isSet
        ? `${name} (${use}) accepts ${accepted} bytes, and the producer is set to send up to ${largest}`
        : `${name} (${use}) accepts ${accepted} bytes, fewer than the usual ${USUALLY_ACCEPTED}, and the producer leaves the limit to the broker`,
      why: 'Larger messages are refused by the broker (MESSAGE_TOO_LARGE)',
      fix: `kafka-configs.sh --alter --topic ${name} --add-config max.message.bytes=${wished} --bootstrap-server …, or producer.librdkafka: { 'message.max.bytes': ${accepted} }`,
    });
  }
}
