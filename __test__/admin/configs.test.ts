import { ConfigResourceTypes, ConfigSource } from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { afterAll, describe, expect, it } from 'vitest';
import { closeBroker, createTopics, unique } from '../harness/broker';
import { until } from '../harness/wait';
import { connected, same } from './pair';

afterAll(closeBroker);
const pair = connected();

const { TOPIC, BROKER, BROKER_LOGGER } = ConfigResourceTypes;

async function topicWith(value: string): Promise<string> {
  const topic = unique('admin');
  await createTopics({ [topic]: 1 }, { 'retention.ms': value });
  return topic;
}

describe('describeConfigs', () => {
  it('tells of topics and brokers what kafkajs tells', async () => {
    const name = await topicWith('7654321');
    const configNames = ['retention.ms', 'cleanup.policy'];
    for (const includeSynonyms of [true, false]) {
      await same(pair, (admin) =>
        admin.describeConfigs({ resources: [{ type: TOPIC, name, configNames }], includeSynonyms }),
      );
    }
    await same(pair, (admin) =>
      admin.describeConfigs({ resources: [{ type: TOPIC, name }], includeSynonyms: true }),
    );
    const [broker] = (await pair.ours.describeCluster()).brokers;
    await same(pair, (admin) =>
      admin.describeConfigs({
        resources: [{ type: BROKER, name: String(broker?.nodeId) }],
        includeSynonyms: true,
      }),
    );
  });

  it('answers in the order asked for, also of a topic that is there twice', async () => {
    const name = await topicWith('7654321');
    const [broker] = (await pair.ours.describeCluster()).brokers;
    const resources = [
      { type: BROKER, name: String(broker?.nodeId), configNames: ['num.partitions'] },
      { type: TOPIC, name, configNames: ['retention.ms'] },
      { type: TOPIC, name, configNames: ['cleanup.policy'] },
    ];
    await same(pair, (admin) => admin.describeConfigs({ resources, includeSynonyms: false }));
  });

  it('fails as kafkajs does', async () => {
    for (const resource of [
      { type: TOPIC, name: unique('missing') },
      { type: BROKER, name: '4711' },
    ]) {
      await same(pair, (admin) => admin.describeConfigs({ resources: [resource], includeSynonyms: false }));
    }
  });

  it('has no logger levels', async () => {
    const resources = [{ type: BROKER_LOGGER, name: '1' }];
    const call = pair.ours.describeConfigs({ resources, includeSynonyms: false });
    await expect(call).rejects.toThrow(native.KafkaJSNotImplemented);
    await expect(call).rejects.toThrow('BROKER_LOGGER');
  });
});

describe('alterConfigs', () => {
  it('replaces the whole configuration, as kafkajs does', async () => {
    const name = await topicWith('7654321');
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    const resources = [{ type: TOPIC, name, configEntries }];
    await same(pair, (admin) => admin.alterConfigs({ resources, validateOnly: true }));
    const read = async () => {
      const query = [{ type: TOPIC, name, configNames: ['cleanup.policy', 'retention.ms'] }];
      const described = await pair.ours.describeConfigs({ resources: query, includeSynonyms: false });
      const entries = described.resources[0]?.configEntries ?? [];
      return Object.fromEntries(
        entries.map(({ configName, configSource }) => [configName, configSource as number]),
      );
    };
    expect(await read()).toEqual({
      'cleanup.policy': ConfigSource.DEFAULT_CONFIG,
      'retention.ms': ConfigSource.TOPIC_CONFIG,
    });
    await pair.ours.alterConfigs({ resources, validateOnly: false });
    // The controller answers before the broker that is asked next has heard of it.
    await until('the broker knows', async () => {
      const sources = await read();
      return (
        sources['cleanup.policy'] === ConfigSource.TOPIC_CONFIG &&
        sources['retention.ms'] === ConfigSource.DEFAULT_CONFIG
      );
    });
  });

  it('answers in the order asked for', async () => {
    const name = await topicWith('7654321');
    const [broker] = (await pair.ours.describeCluster()).brokers;
    const resources = [
      { type: BROKER, name: String(broker?.nodeId), configEntries: [] },
      { type: TOPIC, name, configEntries: [] },
    ];
    await same(pair, (admin) => admin.alterConfigs({ resources, validateOnly: true }));
    const twice = [...resources, { type: TOPIC, name, configEntries: [] }];
    await expect(pair.ours.alterConfigs({ resources: twice, validateOnly: true })).rejects.toMatchObject({
      type: 'INVALID_REQUEST',
    });
  });

  it('fails as kafkajs does', async () => {
    const name = await topicWith('1000');
    const configEntries = [{ name: 'cleanup.policy', value: 'nonsense' }];
    await same(pair, (admin) =>
      admin.alterConfigs({ resources: [{ type: TOPIC, name, configEntries }], validateOnly: false }),
    );
  });
});

describe('the numbers', () => {
  it('are kafkajs’s', async () => {
    const kafkajs: Record<string, object> = await import('kafkajs');
    const ours: Record<string, unknown> = { ...native };
    for (const name of [
      'AclOperationTypes',
      'AclPermissionTypes',
      'AclResourceTypes',
      'ConfigResourceTypes',
      'ResourcePatternTypes',
      'ConfigSource',
    ] as const) {
      const theirs = Object.entries(kafkajs[name] ?? {}).filter(([key]) => !/^\d+$/.test(key));
      expect(ours[name], name).toEqual(Object.fromEntries(theirs));
    }
  });
});
