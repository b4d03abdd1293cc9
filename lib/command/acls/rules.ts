import { RETRY_GROUP_SUFFIX, RetrySchedule } from '../../nest/server/retry-schedule.js';
import type {
  DeadLetterOptions,
  KafkaHandlerOptions,
  NestKafkaOptions,
  TopicsOptions,
} from '../../nest/options/index.js';
import type {
  Application,
  InspectedClient,
  InspectedDriver,
  InspectedServer,
} from '../inspection/application.js';

/** Kafka's kinds of resources. */
type Resource = 'topic' | 'group' | 'transactional-id' | 'cluster';

/** Kafka's operations. Read and Write imply Describe. */
type Operation = 'Read' | 'Write' | 'Create' | 'Alter' | 'Describe' | 'DescribeConfigs';

/** One access rule that an application needs. */
export interface AccessRule {
  readonly resource: Resource;
  /** The resource's name; the beginning of names with `prefixed`, `*` for all. */
  readonly name: string;
  readonly patternType: 'literal' | 'prefixed';
  readonly operations: readonly Operation[];
  /** Why the application needs it. */
  readonly why: string;
}

/** Access that the application's options do not show. */
interface MoreRules {
  /** Topics that the application sends to, besides those found by inspection. */
  readonly produces?: readonly string[];
  /** Whether the application creates missing topics. */
  readonly creates?: boolean;
}

/** Collects rules; equal ones are merged. */
class Rules {
  readonly #rules = new Map<string, AccessRule>();

  add(resource: Resource, name: string | RegExp, operation: Operation, why: string): void {
    const known =
      typeof name === 'string' ? { text: name, patternType: 'literal' as const } : resourceOf(name);
    this.#add(resource, known, operation, why);
  }

  /** A rule for all resources whose names begin with `prefix`. */
  addPrefixed(resource: Resource, prefix: string, operation: Operation, why: string): void {
    this.#add(resource, { text: prefix, patternType: 'prefixed' }, operation, why);
  }

  #add(
    resource: Resource,
    { text, patternType }: ReturnType<typeof resourceOf>,
    operation: Operation,
    why: string,
  ): void {
    const key = JSON.stringify([resource, text, patternType]);
    const known = this.#rules.get(key);
    if (known === undefined) {
      this.#rules.set(key, { resource, name: text, patternType, operations: [operation], why });
      return;
    }
    const operations = [...new Set([...known.operations, operation])].toSorted();
    const reasons = known.why.split('; ').includes(why) ? known.why : `${known.why}; ${why}`;
    this.#rules.set(key, { ...known, operations, why: reasons });
  }

  /** Whether there is a rule for a resource. */
  has(resource: Resource, name: string): boolean {
    return this.#rules.has(JSON.stringify([resource, name, 'literal']));
  }

  get all(): AccessRule[] {
    return [...this.#rules.values()];
  }

  /** Those that no other one contains. */
  get needed(): AccessRule[] {
    const { all } = this;
    return all.filter((rule) => !all.some((other) => other !== rule && contains(other, rule)));
  }
}

/** Whether a rule with a prefix, or for all names, allows all that another one does. */
function contains(wide: AccessRule, rule: AccessRule): boolean {
  const isPrefix = wide.patternType === 'prefixed' && rule.name.startsWith(wide.name);
  return (
    wide.resource === rule.resource &&
    (isPrefix || wide.name === '*') &&
    rule.operations.every((operation) => wide.operations.includes(operation))
  );
}

/** The resource that covers the topics of a regular expression: the prefix that all have, or else all topics. */
function resourceOf({ source, flags }: RegExp): { text: string; patternType: AccessRule['patternType'] } {
  const literal = flags.includes('i') ? '' : (/^\^((?:[\w-]|\\\.)+)(?![*+?{|])/.exec(source)?.[1] ?? '');
  // A quantifier belongs to the character before it, and alternatives may have different prefixes.
  const beginning = source.includes('|') ? '' : literal.replaceAll(String.raw`\.`, '.');
  return beginning === ''
    ? { text: '*', patternType: 'literal' }
    : { text: beginning, patternType: 'prefixed' };
}

/** The access rules that an application needs, without any others. */
export function accessRules(
  { servers, clients, drivers }: Pick<Application, 'servers' | 'clients' | 'drivers'>,
  { produces = [], creates = false }: MoreRules = {},
): AccessRule[] {
  const rules = new Rules();
  for (const server of servers) addServer(rules, server, creates || makesTopics(server));
  for (const client of clients) addClient(rules, client, creates || makesTopics(client));
  for (const { options } of [...servers, ...clients])
    addProvisioned(rules, options['topics'] as TopicsOptions);
  const groups = new Set([...servers, ...clients].map(({ groupId }) => groupId));
  // Consumers of servers and clients are covered above.
  const others = drivers.filter(({ config }) => !groups.has(config['groupId'] as string));
  for (const driver of others) addDriver(rules, driver, creates);
  for (const topic of produces) addTopic(rules, topic, 'Write', 'it is sent to (--produces)', creates);
  return rules.needed;
}

function addTopic(
  rules: Rules,
  topic: string | RegExp,
  operation: Operation,
  why: string,
  creates: boolean,
): void {
  rules.add('topic', topic, operation, why);
  if (creates && typeof topic === 'string')
    rules.add('topic', topic, 'Create', 'it is made where it is missing');
}

function addServer(rules: Rules, { options, groupId, handlers }: InspectedServer, creates: boolean): void {
  if (handlers.length > 0) rules.add('group', groupId, 'Read', 'the server joins it and commits to it');
  for (const { pattern, isEvent, extras } of handlers) {
    addTopic(rules, pattern, 'Read', 'it is handled', creates);
    // The reply topics of an expression's topics begin as these do.
    const replies = typeof pattern === 'string' ? `${pattern}.reply` : pattern;
    if (!isEvent) addTopic(rules, replies, 'Write', 'requests are answered', creates);
    const deadLetter = deadLetterOf(options, extras);
    if (deadLetter === undefined) continue;
    addDeadLetter(rules, pattern, deadLetter, creates);
    addRetryTopics(rules, pattern, groupId, deadLetter);
  }
  addTransactions(rules, options['producer'] as TransactionalOptions | undefined);
  const ofHandlers = handlers.map(({ extras }) => extras['kafka'] as KafkaHandlerOptions | undefined);
  addHandlerTransactions(rules, options as NestKafkaOptions, ofHandlers);
}

/** The handler's options merged over the server's; undefined if there are none, or with `false`. */
function deadLetterOf(
  options: InspectedServer['options'],
  extras: Readonly<Record<string, unknown>>,
): DeadLetterOptions | undefined {
  const ofServer = options['deadLetter'] as DeadLetterOptions | undefined;
  const ofHandler = (extras['kafka'] as KafkaHandlerOptions | undefined)?.deadLetter;
  if (ofHandler === false) return undefined;
  return ofServer || ofHandler ? { ...ofServer, ...ofHandler } : undefined;
}

function addDeadLetter(
  rules: Rules,
  pattern: string | RegExp,
  { topic }: DeadLetterOptions,
  creates: boolean,
): void {
  const why = 'messages that cannot be handled go there';
  if (typeof topic === 'string') addTopic(rules, topic, 'Write', why, creates);
  // The names that a function returns are not known; the default topic is used when it fails.
  else if (typeof pattern === 'string') addTopic(rules, `${pattern}.DLT`, 'Write', why, creates);
  else rules.add('topic', pattern, 'Write', why);
}

const makesTopics = ({ options }: Pick<InspectedServer, 'options'>): boolean =>
  (options['topics'] as TopicsOptions | undefined)?.provision === 'create';

/**
 * Topics in `topics.overrides` of which nothing else is known are taken for topics that the application sends to;
 * their configuration is compared.
 */
function addProvisioned(rules: Rules, topics: TopicsOptions | undefined): void {
  const { provision = 'off', defaults, overrides = {} } = topics ?? {};
  if (provision === 'off') return;
  for (const name of Object.keys(overrides)) {
    if (!rules.has('topic', name))
      addTopic(rules, name, 'Write', 'topics.overrides names it', provision === 'create');
  }
  for (const { resource, name, patternType } of rules.all) {
    if (resource !== 'topic' || patternType !== 'literal' || name === '*') continue;
    if (defaults?.config === undefined && overrides[name]?.config === undefined) continue;
    rules.add('topic', name, 'DescribeConfigs', 'its configuration is compared');
  }
}

/** Retry topics are written, read by a group of their own, and created if they are missing. */
function addRetryTopics(
  rules: Rules,
  pattern: string | RegExp,
  groupId: string,
  { retryTopics }: DeadLetterOptions,
): void {
  if (!retryTopics) return;
  rules.add(
    'group',
    `${groupId}${RETRY_GROUP_SUFFIX}`,
    'Read',
    'what waits in retry topics is handled by it',
  );
  const why = 'messages wait there for another delivery';
  const topics =
    typeof pattern === 'string' ? new RetrySchedule(retryTopics, groupId).topics(pattern) : [pattern];
  for (const topic of topics) {
    rules.add('topic', topic, 'Write', why);
    rules.add('topic', topic, 'Read', why);
    rules.add('topic', topic, 'Create', 'it is made like the topic whose messages wait in it');
  }
}

function addClient(rules: Rules, { options, groupId, requests }: InspectedClient, creates: boolean): void {
  if (options['producerOnlyMode'] !== true) {
    if (requests.length > 0 && options['replies'] !== 'assigned') {
      rules.add('group', groupId, 'Read', 'the client joins it for its replies');
    }
    for (const { topic, replyTopic } of requests) {
      addTopic(rules, topic, 'Write', 'requests are sent to it', creates);
      addTopic(rules, replyTopic, 'Read', 'replies come from it', creates);
      if (addsPartitions(options))
        rules.add('topic', replyTopic, 'Alter', 'it gets a partition for each instance');
    }
  }
  addTransactions(rules, options['producer'] as TransactionalOptions | undefined);
}

/** Whether a client adds partitions to its reply topics. */
function addsPartitions({ topics, replies }: InspectedClient['options']): boolean {
  const { provision, instances = 1 } = (topics ?? {}) as TopicsOptions;
  return provision === 'create' && instances > 1 && replies !== 'assigned';
}

interface TransactionalOptions {
  readonly transactionalId?: string;
}

/** Transactions of a server's handlers have transactional ids with the server's prefix. */
function addHandlerTransactions(
  rules: Rules,
  { transactions }: NestKafkaOptions,
  handlers: readonly (KafkaHandlerOptions | undefined)[],
): void {
  if (!transactions || !handlers.some((handler) => handler?.transactional)) return;
  rules.addPrefixed(
    'transactional-id',
    `${transactions.idPrefix}-`,
    'Write',
    'transactional handlers send by such an id',
  );
}

function addTransactions(rules: Rules, options: TransactionalOptions | undefined): void {
  const id = options?.transactionalId;
  if (typeof id === 'string') rules.add('transactional-id', id, 'Write', 'its producer has transactions');
}

function addDriver(rules: Rules, { kind, config, topics }: InspectedDriver, creates: boolean): void {
  if (kind === 'consumer') {
    const { groupId } = config;
    if (typeof groupId === 'string' && topics.size > 0)
      rules.add('group', groupId, 'Read', 'a consumer joins it');
    for (const topic of topics) addTopic(rules, topic, 'Read', 'a consumer reads it', creates);
  } else if (kind === 'producer') {
    for (const topic of topics) addTopic(rules, topic, 'Write', 'it was sent to at the start', creates);
    addTransactions(rules, config as TransactionalOptions);
  } else {
    for (const topic of topics) rules.add('topic', String(topic), 'Create', 'the application makes it');
  }
}

/** Access that cannot be found out by inspection, for the user to add. */
export function unknownRules({ servers, clients }: Pick<Application, 'servers' | 'clients'>): string[] {
  const notes: string[] = [];
  if (clients.length > 0) {
    notes.push(
      'Topics that clients emit to while the application runs are not seen at its start: name them with --produces',
    );
  }
  const isTransactional = servers.some(({ handlers }) =>
    handlers.some(({ extras }) => (extras['kafka'] as KafkaHandlerOptions | undefined)?.transactional),
  );
  if (isTransactional) {
    notes.push(
      'Topics that transactional handlers send to are not seen at the start: name them with --produces',
    );
  }
  for (const { options, groupId, handlers } of servers) {
    const { topic } = (options['deadLetter'] ?? {}) as DeadLetterOptions;
    if (typeof topic === 'function') {
      notes.push(`deadLetter.topic of group ${groupId} is a function: name its topics with --produces`);
    }
    for (const { pattern, extras } of handlers) {
      const own = (extras['kafka'] as KafkaHandlerOptions | undefined)?.deadLetter;
      if (own && typeof own.topic === 'function') {
        notes.push(
          `deadLetter.topic of the handler of ${String(pattern)}, group ${groupId}, is a function: name its topics with --produces`,
        );
      }
      if (!(pattern instanceof RegExp)) continue;
      const { text, patternType } = resourceOf(pattern);
      const covered = text === '*' ? 'all topics' : `topics that begin with ${text}`;
      notes.push(
        `${String(pattern)} of group ${groupId} needs ${covered}: access rules know no expressions (${patternType})`,
      );
    }
  }
  return notes;
}
