import { fork } from 'node:child_process';
import { once } from 'node:events';
import { AssignerProtocol, ConfigResourceTypes, Kafka, logLevel, type PartitionAssigner } from 'kafkajs';
import { afterAll, describe, expect, test } from 'vitest';
import { Proxy } from '../delivery/proxy';
import { BROKERS, closeBroker, createTopics, describeGroup, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { joinAs } from './foreign-member';
import { idsOf } from './run';
import { service, SERVICE, withTopics } from './service';

// Topics, groups and rights that an application cannot work with, on a cluster in order: each is found, and the proposed line mends it.

/** The key of the request that describes groups. */
const DESCRIBE_GROUPS = 15;

afterAll(closeBroker);

/** One of that name, which assigns nothing. */
const assignerCalled =
  (called: string): PartitionAssigner =>
  () => ({
    name: called,
    version: 0,
    assign: ({ members }) =>
      Promise.resolve(
        members.map(({ memberId }) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: 0,
            assignment: {},
            userData: Buffer.alloc(0),
          }),
        })),
      ),
    protocol: ({ topics }) => ({
      name: called,
      metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
    }),
  });

/** What is to be changed where a group is somebody else's, and what is found once it is. */
const OWN_GROUP = "consumer.groupId: '<a name that nobody else uses>'";
const withGroupOfItsOwn = async (prefix: string) => {
  const options = { ofServer: { consumer: { groupId: `${prefix}-own` } } };
  return (await service({ options }, prefix)).findings;
};

describe('what is found on a cluster', () => {
  test('too few reply partitions, and partitions to handle', async () => {
    const prefix = await withTopics(2);
    const args = ['--online', '--instances', '3'];
    const { findings, code } = await service({ args }, prefix);
    expect(findings.map(({ id, severity }) => `${severity} ${id}`)).toEqual([
      'error reply-partitions',
      'warning handler-partitions',
      'warning handler-partitions',
    ]);
    expect(findings[0]?.what).toBe(
      `${prefix}.stock.reply (replies to group ${prefix}-client) has 2 partitions for 3 instances`,
    );
    expect(findings[0]?.fix).toContain(`--alter --topic ${prefix}.stock.reply --partitions 3`);
    expect(code).toBe(1);
    const options = { ofClient: { replies: 'assigned' } };
    expect(idsOf(await service({ args, options }, prefix))).toEqual([
      'handler-partitions',
      'handler-partitions',
    ]);
    const admin = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.createPartitions({
      topicPartitions: ['orders', 'price', 'stock.reply'].map((name) => ({
        topic: `${prefix}.${name}`,
        count: 3,
      })),
    });
    await admin.disconnect();
    expect(idsOf(await service({ args }, prefix))).toEqual([]);
  });

  test('reply topics that the brokers would make with too few partitions', async () => {
    const args = ['--online', '--instances', '7'];
    const { findings, prefix } = await service({ args });
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'reply-partitions',
        what: expect.stringMatching(/ will be made with \d partitions \(num\.partitions\) for 7 instances$/),
      }),
    ]);
    const [, name = '', count] =
      /^kafka-topics\.sh --create --topic (\S+) --partitions (\d) /.exec(findings[0]!.fix) ?? [];
    expect(name).toBe(`${prefix}.stock.reply`);
    await createTopics({ [name]: Number(count) });
    expect((await service({ args }, prefix)).findings).toEqual([]);
  });

  test('topics that nobody will make', async () => {
    const never = { allowAutoTopicCreation: false };
    const { findings, prefix } = await service({ options: { ofServer: { consumer: never } } });
    expect(findings.map(({ id, what }) => `${id}: ${what}`)).toEqual([
      `topic-missing: ${prefix}.orders (handled by group service) does not exist`.replace(
        'service',
        'nestjs-group-server',
      ),
      `topic-missing: ${prefix}.price (handled by group service) does not exist`.replace(
        'service',
        'nestjs-group-server',
      ),
    ]);
    const made = findings.map(
      ({ fix }) => /^kafka-topics\.sh --create --topic (\S+) --partitions 1 /.exec(fix)?.[1],
    );
    expect(made).toEqual([`${prefix}.orders`, `${prefix}.price`]);
    await createTopics(Object.fromEntries(made.map((name) => [name!, 1])));
    expect((await service({ options: { ofServer: { consumer: never } } }, prefix)).findings).toEqual([]);
  });

  test('a group that somebody else divides', async () => {
    const prefix = await withTopics();
    const kafka = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({
      groupId: `${prefix}-server`,
      partitionAssigners: [assignerCalled('Other')],
    });
    await consumer.connect();
    await consumer.subscribe({ topic: `${prefix}.orders` });
    await consumer.run({ eachMessage: () => Promise.resolve() });
    const found = await until('it has joined', async () => {
      const diagnosis = await service({}, prefix);
      return diagnosis.findings.length > 0 ? diagnosis : undefined;
    });
    expect(found.findings).toEqual([
      expect.objectContaining({
        id: 'group-assigner',
        what: `Group ${prefix}-server is divided by "Other", and this server offers "RoundRobinAssigner"`,
        fix: OWN_GROUP,
      }),
    ]);
    expect(await withGroupOfItsOwn(prefix)).toEqual([]);
    await consumer.disconnect();
    expect(idsOf(await service({}, prefix))).toEqual([]);
  });

  test('a group that is divided by another assigner that there is here', async () => {
    const prefix = await withTopics();
    const consumer = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).consumer({
      groupId: `${prefix}-server`,
      partitionAssigners: [assignerCalled('cooperative-sticky')],
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [`${prefix}.orders`, `${prefix}.price`] });
    await consumer.run({ eachMessage: () => Promise.resolve() });
    const { findings } = await until('it has joined', async () => {
      const diagnosis = await service({}, prefix);
      return diagnosis.findings.length > 0 ? diagnosis : undefined;
    });
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'group-assigner',
        fix: 'consumer.partitionAssigners: [PartitionAssigners.cooperativeSticky]',
      }),
    ]);
    expect((await service({ env: { COOPERATIVE: '1' } }, prefix)).findings).toEqual([]);
    await consumer.disconnect();
  });

  test('a group that reads something else', async () => {
    const prefix = await withTopics();
    const consumer = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).consumer({
      groupId: `${prefix}-server`,
    });
    await consumer.connect();
    await consumer.subscribe({ topic: `${prefix}.started` });
    await consumer.run({ eachMessage: () => Promise.resolve() });
    const found = await until('it has joined', async () => {
      const diagnosis = await service({}, prefix);
      return diagnosis.findings.length > 0 ? diagnosis : undefined;
    });
    expect(found.findings).toEqual([
      expect.objectContaining({ id: 'group-shared', severity: 'warning', fix: OWN_GROUP }),
    ]);
    expect(found.findings[0]?.what).toContain(`${prefix}.started`);
    expect(await withGroupOfItsOwn(prefix)).toEqual([]);
    await consumer.disconnect();
  });

  test('the application’s own instances, whose handlers have expressions, are no others', async () => {
    const prefix = await withTopics();
    await createTopics({ [`${prefix}.orders.eu`]: 3 });
    const env = { KAFKA_BROKERS: BROKERS.join(','), PREFIX: prefix, MODE: 'ours', EXPRESSION: '1' };
    const instance = fork(SERVICE, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const closed = once(instance, 'close');
    try {
      const members = await until('it has joined', async () => {
        const { members: joined, state } = await describeGroup(`${prefix}-server`);
        return state === 'Stable' ? joined : undefined;
      });
      const topics = AssignerProtocol.MemberMetadata.decode(members[0]!.memberMetadata)?.topics;
      expect(topics).toEqual(expect.arrayContaining([`${prefix}.orders`, `${prefix}.orders.eu`]));
      expect((await service({ env }, prefix)).findings).toEqual([]);
    } finally {
      instance.kill('SIGKILL');
      await closed;
    }
  });

  test('a group whose members are no consumers', async () => {
    const prefix = await withTopics();
    const member = await joinAs('connect', `${prefix}-server`);
    const { findings, code } = await service({}, prefix);
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'group-kind',
        severity: 'error',
        what: `Group ${prefix}-server is used for something else: its members are of kind "connect"`,
        fix: OWN_GROUP,
      }),
    ]);
    expect(code).toBe(1);
    expect(await withGroupOfItsOwn(prefix)).toEqual([]);
    member.destroy();
  });

  test('a request that something between the application and the brokers does not let through', async () => {
    const prefix = await withTopics();
    const gateway = await Proxy.before(BROKERS[0]!);
    const setting = {
      env: { KAFKA_BROKERS: gateway.address },
      options: { client: { requestTimeout: 3000 } },
    };
    gateway.refuseRequests(DESCRIBE_GROUPS);
    const { findings, code } = await service(setting, prefix);
    expect(findings).toEqual(
      [`${prefix}-server`, `${prefix}-client`].map((group) => ({
        id: 'request',
        severity: 'error',
        what: expect.stringMatching(new RegExp(`^The rights to group ${group} cannot be asked for: .`)),
        why: 'Whether the application may use it was not looked at',
        fix: 'Mend what the reason names, then look again',
      })),
    );
    expect(code).toBe(1);
    gateway.restore();
    expect((await service(setting, prefix)).findings).toEqual([]);
    await gateway.close();
  });

  test('messages that are larger than the topic takes, and replicas that there are too few of', async () => {
    const prefix = unique('doctor');
    await createTopics({ [`${prefix}.orders`]: 1, [`${prefix}.price`]: 1, [`${prefix}.stock.reply`]: 1 });
    await createTopics(
      { [`${prefix}.stock`]: 1 },
      { 'max.message.bytes': '5000', 'min.insync.replicas': '2' },
    );
    const { findings } = await service({}, prefix);
    expect(findings).toEqual([
      expect.objectContaining({
        id: 'replication',
        what: expect.stringContaining('has 1 replicas, and min.insync.replicas is 2'),
      }),
      expect.objectContaining({
        id: 'message-size',
        what: expect.stringContaining(
          'accepts 5000 bytes, fewer than the usual 1048588, and the producer leaves the limit to the broker',
        ),
      }),
    ]);
    const smaller = { ofClient: { producer: { librdkafka: { 'message.max.bytes': 5000 } } } };
    expect(findings[1]?.fix).toContain("or producer.librdkafka: { 'message.max.bytes': 5000 }");
    expect(idsOf(await service({ options: smaller }, prefix))).toEqual(['replication']);
    const larger = { ofClient: { producer: { librdkafka: { 'message.max.bytes': 6000 } } } };
    expect((await service({ options: larger }, prefix)).findings[1]).toMatchObject({
      id: 'message-size',
      what: expect.stringContaining('accepts 5000 bytes, and the producer is set to send up to 6000'),
      fix: expect.stringContaining('max.message.bytes=6000 '),
    });
    const configEntries = findings.map(({ fix }) => {
      const [, topic, name = '', value = ''] = /--topic (\S+) --add-config ([\w.]+)=(\d+) /.exec(fix) ?? [];
      expect(topic).toBe(`${prefix}.stock`);
      return { name, value };
    });
    const admin = new Kafka({ brokers: BROKERS, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: `${prefix}.stock`, configEntries }],
    });
    await admin.disconnect();
    await until('nothing is found any more', async () => (await service({}, prefix)).findings.length === 0);
  });
});
