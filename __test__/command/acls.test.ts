import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
  type AclEntry,
  type Admin,
} from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Broker } from '../broker/start.mjs';
import { accessRules, unknownRules, type AccessRule } from '../../lib/command/acls/rules.js';
import type { InspectedClient } from '../../lib/command/inspection/application.js';
import { startSecuredBroker } from '../harness/secured-broker';
import { makeTopics } from '../harness/topics.mjs';
import { ROOT } from '../package-consumers/install';
import { run } from './run';

const SECURED = join(ROOT, '__test__/command/applications/secured.mjs');
/** One for the run with all rules, and one for each that is left out. */
const USERS = Array.from({ length: 20 }, (_, index) => `u${index}`);
const TOPICS = ['orders', 'price', 'price.reply', 'bad', 'dead', 'audit'];
/** How many applications run at once. */
const AT_ONCE = 4;
/** How long one that lacks a rule is waited for, where it does not say so itself. */
const LIMIT = 25_000;
/** How long one that lacks none may take until all has worked, on a busy machine. */
const PATIENCE = 3 * 60_000;

let broker: Broker;
let secured: string;
let admin: Admin;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  ({ broker, secured } = await startSecuredBroker(Object.fromEntries(USERS.map((user) => [user, 'secret'])), {
    'transaction.state.log.num.partitions': 1,
    'offsets.topic.num.partitions': 1,
  }));
  admin = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await admin?.disconnect();
  await broker?.dispose();
});

async function rulesOf(prefix: string): Promise<AccessRule[]> {
  const { out, err, code } = await run(['acls', SECURED, '--format', 'json'], {
    env: { PREFIX: prefix, KAFKA_BROKERS: secured, KAFKA_USER: 'u0' },
  });
  expect(code, err).toBe(0);
  return (JSON.parse(out) as { rules: AccessRule[] }).rules;
}

const TYPES = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
  cluster: AclResourceTypes.CLUSTER,
};

const entry = ({ resource, name }: AccessRule, operation: string, user: string): AclEntry => ({
  resourceType: TYPES[resource],
  resourceName: name,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: `User:${user}`,
  host: '*',
  operation: operation === 'Read' ? AclOperationTypes.READ : AclOperationTypes.WRITE,
  permissionType: AclPermissionTypes.ALLOW,
});

/** Runs the application as a user with these rules. Says what has worked, and what it has printed. */
async function attempt(
  prefix: string,
  user: string,
  acl: AclEntry[],
  limit: number,
): Promise<{ worked: string[]; output: string }> {
  await admin.createAcls({ acl });
  const child = spawn(process.execPath, [SECURED], {
    env: {
      ...process.env,
      PREFIX: prefix,
      KAFKA_BROKERS: secured,
      KAFKA_USER: user,
      NO_COLOR: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const end = Date.now() + limit;
  const worked = new Set<string>();
  while (
    Date.now() < end &&
    worked.size < 4 &&
    child.exitCode === null &&
    !/authoriz|not authorized/i.test(output)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const [, what] of output.matchAll(/^works: (.*)$/gm)) worked.add(what as string);
    const [dead] = await admin.fetchTopicOffsets(`${prefix}.dead`);
    if (dead?.high === '1') worked.add('dead letter');
  }
  child.kill('SIGKILL');
  children.delete(child);
  return { worked: [...worked].toSorted(), output };
}

const ALL = ['dead letter', 'event', 'request', 'transaction'];

describe('on a broker that allows nothing without a rule', () => {
  test(
    'the application works with exactly these rules, and without any one of them it does not',
    { timeout: 15 * 60_000 },
    async () => {
      const rules = await rulesOf('p0');
      const wanted = rules.flatMap((rule) =>
        rule.operations.map((operation) => `${operation} ${rule.resource} ${rule.name}`),
      );
      expect(wanted.toSorted()).toEqual(
        [
          'Read group p0-client',
          'Read group p0-server',
          'Read topic p0.bad',
          'Read topic p0.orders',
          'Read topic p0.price',
          'Read topic p0.price.reply',
          'Write topic p0.audit',
          'Write topic p0.bad',
          'Write topic p0.dead',
          'Write topic p0.orders',
          'Write topic p0.price',
          'Write topic p0.price.reply',
          'Write transactional-id p0-tx',
        ].toSorted(),
      );
      const attempts = [undefined, ...wanted.keys()].map((left, index) => async () => {
        const prefix = `p${index}`;
        const own = rules.flatMap((rule) =>
          rule.operations.map((operation) =>
            entry({ ...rule, name: rule.name.replace(/^p0/, prefix) }, operation, `u${index}`),
          ),
        );
        const { worked, output } = await attempt(
          prefix,
          `u${index}`,
          own.filter((_, place) => place !== left),
          left === undefined ? PATIENCE : LIMIT,
        );
        if (left === undefined) expect(worked, output).toEqual(ALL);
        else expect(worked, `without ${wanted[left]}:\n${output}`).not.toEqual(ALL);
      });
      // Before the attempts: kafkajs asks for all of an admin's topics at once, and one that is new fails them all.
      const prefixes = attempts.map((_, index) => `p${index}`);
      await makeTopics(
        admin,
        prefixes.flatMap((prefix) =>
          TOPICS.map((name) => ({ topic: `${prefix}.${name}`, numPartitions: 1 })),
        ),
      );
      const next = attempts.values();
      const work = async (): Promise<void> => {
        for (const one of next) await one();
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    },
  );

  test('the lines of kafka-acls.sh', async () => {
    const { out, err } = await run(
      ['acls', SECURED, '--principal', 'User:orders', '--produces', 'late,later'],
      {
        env: { PREFIX: 'lines', KAFKA_BROKERS: secured, KAFKA_USER: 'u0' },
      },
    );
    expect(out).toContain(
      '# the server joins it and commits to it\nkafka-acls.sh --bootstrap-server $BROKERS --add --allow-principal User:orders --operation Read --group lines-server\n',
    );
    expect(out).toContain('--operation Write --topic later\n');
    expect(err).toContain('--produces');
  });

  test('a policy for AWS', async () => {
    const arn = 'arn:aws:kafka:eu-central-1:111122223333:cluster/live/abcd-1';
    const env = { PREFIX: 'aws', KAFKA_BROKERS: secured, KAFKA_USER: 'u0' };
    const { out } = await run(['acls', SECURED, '--format', 'aws', '--cluster-arn', arn], { env });
    const policy = JSON.parse(out) as { Statement: { Action: string[]; Resource: string[] }[] };
    expect(policy.Statement[0]).toEqual({
      Effect: 'Allow',
      Action: ['kafka-cluster:Connect', 'kafka-cluster:WriteDataIdempotently'],
      Resource: [arn],
    });
    const find = (action: string) =>
      policy.Statement.filter(({ Action }) => Action.includes(action)).flatMap(({ Resource }) => Resource);
    expect(find('kafka-cluster:ReadData').toSorted()).toEqual(
      ['bad', 'orders', 'price', 'price.reply'].map(topic),
    );
    expect(find('kafka-cluster:AlterGroup')).toHaveLength(2);
    expect(find('kafka-cluster:AlterTransactionalId')).toEqual([
      'arn:aws:kafka:eu-central-1:111122223333:transactional-id/live/abcd-1/aws-tx',
    ]);
    const bad = await run(['acls', SECURED, '--format', 'aws', '--cluster-arn', 'live'], { env });
    expect(bad.code).toBe(2);
  });
});

const topic = (name: string) => `arn:aws:kafka:eu-central-1:111122223333:topic/live/abcd-1/aws.${name}`;

const handled = (pattern: string | RegExp, kafka: object = {}) => ({
  pattern,
  isEvent: true,
  extras: { kafka },
});

const server = (patterns: (string | RegExp)[], options: object = {}) => ({
  origin: 'nestjs-kafka-native' as const,
  options: options as Record<string, unknown>,
  clientId: 'c',
  groupId: 'g',
  handlers: patterns.map((pattern) => ({ pattern, isEvent: true, extras: {} })),
});

const of = (patterns: (string | RegExp)[], options?: object) =>
  accessRules({ servers: [server(patterns, options)], clients: [], drivers: [] });

const names = (options: object) =>
  of(['a'], options)
    .filter(({ operations }) => operations.includes('Write'))
    .map(({ name }) => name);

const wordsOf = (options: object): string[] =>
  of(['a'], options).map(({ resource, name, operations }) => `${operations.join(' ')} ${resource} ${name}`);

/** The operations on the reply topic of a client with these options. */
function ofReplies(options: object): readonly string[] | undefined {
  const requests = [{ topic: 'a', replyTopic: 'a.reply' }];
  const client = { options, groupId: 'c', requests } as unknown as InspectedClient;
  const rules = accessRules({ servers: [], clients: [client], drivers: [] });
  return rules.find(({ name }) => name === 'a.reply')?.operations;
}

describe('rules', () => {
  test.each([
    [/^orders\.[a-z]+$/, 'orders.', 'prefixed'],
    [/^orders-.*/, 'orders-', 'prefixed'],
    [/^orders?$/, 'order', 'prefixed'],
    [/orders/, '*', 'literal'],
    [/^orders/i, '*', 'literal'],
    [/^orders$|^prices$/, '*', 'literal'],
  ])('of %s', (pattern, name, patternType) => {
    const [, found] = of([pattern]);
    expect(found).toMatchObject({ resource: 'topic', name, patternType, operations: ['Read'] });
  });

  test('of dead letters', () => {
    expect(names({})).toEqual([]);
    expect(names({ deadLetter: {} })).toEqual(['a.DLT']);
    expect(names({ deadLetter: { topic: 'dead' } })).toEqual(['dead']);
    const servers = [server(['a'], { deadLetter: { topic: () => 'x' } })];
    expect(unknownRules({ servers, clients: [] })).toEqual([
      'deadLetter.topic of group g is a function: name its topics with --produces',
    ]);
  });

  test('of dead letters that a handler itself names by a function', () => {
    const own = { ...server(['a']), handlers: [handled('a', { deadLetter: { topic: () => 'x' } })] };
    expect(unknownRules({ servers: [own], clients: [] })).toEqual([
      'deadLetter.topic of the handler of a, group g, is a function: name its topics with --produces',
    ]);
  });

  test('of the replies to requests of an expression', () => {
    const asked = { ...server([]), handlers: [{ ...handled(/^prices\./), isEvent: false }] };
    const rules = accessRules({ servers: [asked], clients: [], drivers: [] });
    expect(rules.filter(({ resource }) => resource === 'topic')).toEqual([
      expect.objectContaining({ name: 'prices.', patternType: 'prefixed', operations: ['Read', 'Write'] }),
    ]);
  });

  test('of reply topics that get a partition for each instance', () => {
    const topics = { provision: 'create', instances: 3 };
    expect(ofReplies({ topics })).toEqual(['Alter', 'Create', 'Read']);
    expect(ofReplies({ topics, replies: 'assigned' })).toEqual(['Create', 'Read']);
    expect(ofReplies({ topics: { ...topics, provision: 'validate' } })).toEqual(['Read']);
  });

  test('of retry topics, and of topics that are made or compared at the start', () => {
    expect(wordsOf({ deadLetter: { retryTopics: { delays: [5, 60] } } })).toEqual([
      'Read group g',
      'Read topic a',
      'Write topic a.DLT',
      'Read group g-retry',
      'Create Read Write topic a.retry.g.5',
      'Create Read Write topic a.retry.g.60',
    ]);
    const topics = { provision: 'create', overrides: { sent: {}, a: { config: { 'retention.ms': '1' } } } };
    expect(wordsOf({ topics })).toEqual([
      'Read group g',
      'Create DescribeConfigs Read topic a',
      'Create Write topic sent',
    ]);
    expect(wordsOf({ topics: { provision: 'validate' } })).toEqual(['Read group g', 'Read topic a']);
  });

  test('of transactions of handlers, without the id of the process that was looked at', () => {
    const transactional = {
      ...server(['a'], { transactions: { idPrefix: 'copies' } }),
      handlers: [{ pattern: 'a', isEvent: true, extras: { kafka: { transactional: true } } }],
    } as unknown as ReturnType<typeof server>;
    const own = { kind: 'producer', config: { transactionalId: 'copies-6f1c' }, topics: new Set() };
    const drivers = [own] as unknown as Parameters<typeof accessRules>[0]['drivers'];
    const rules = accessRules({ servers: [transactional], clients: [], drivers });
    expect(rules.filter(({ resource }) => resource === 'transactional-id')).toEqual([
      expect.objectContaining({ name: 'copies-', patternType: 'prefixed', operations: ['Write'] }),
    ]);
    expect(unknownRules({ servers: [transactional], clients: [] })).toEqual([
      'Topics that transactional handlers send to are not seen at the start: name them with --produces',
    ]);
  });

  test('of topics that are made', () => {
    const rules = accessRules({ servers: [server(['a'])], clients: [], drivers: [] }, { creates: true });
    expect(rules.find(({ resource }) => resource === 'topic')?.operations).toEqual(['Create', 'Read']);
  });
});
