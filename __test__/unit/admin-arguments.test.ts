import * as kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { Kafka } from '../../lib/kafkajs/kafka.js';
import { Admin } from '../../lib/kafkajs/admin/admin.js';

const options = { brokers: ['127.0.0.1:1'], logLevel: kafkajs.logLevel.NOTHING };
const ours = new Kafka(options).admin();
const stock = new kafkajs.Kafka(options).admin();

type Calls = Record<string, (argument: unknown) => Promise<unknown>>;

async function refusal(admin: unknown, method: string, argument: unknown): Promise<unknown> {
  try {
    await (admin as Calls)[method]?.(argument);
  } catch (error) {
    const { name, message, retriable } = error as { name: string; message: string; retriable: boolean };
    return { name, message, retriable };
  }
  return 'accepted';
}

const ACL = {
  resourceType: 2,
  resourceName: 'a',
  resourcePatternType: 3,
  principal: 'User:a',
  host: '*',
  operation: 3,
  permissionType: 3,
};

/** Arguments that kafkajs refuses before it asks a broker. */
const REFUSED: Record<string, unknown[]> = {
  createTopics: [
    {},
    { topics: 'a' },
    { topics: [{ topic: 1 }] },
    { topics: [{ topic: 'a' }, { topic: 'a' }] },
    { topics: [{ topic: 'a', configEntries: 'b' }] },
    { topics: [{ topic: 'a', configEntries: [null] }] },
    { topics: [{ topic: 'a', configEntries: [{ value: 'b' }] }] },
    { topics: [{ topic: 'a', configEntries: [{ name: 'b', value: 1 }] }] },
  ],
  createPartitions: [
    {},
    { topicPartitions: [] },
    { topicPartitions: [{ topic: 1 }] },
    { topicPartitions: [{ topic: 'a' }, { topic: 'a' }] },
  ],
  deleteTopics: [{}, { topics: [1] }],
  fetchTopicMetadata: [{ topics: [''] }, { topics: [1] }],
  fetchTopicOffsets: [undefined, 1],
  fetchTopicOffsetsByTimestamp: [undefined, 1],
  fetchOffsets: [{}, { groupId: 'a', topics: 'b' }],
  setOffsets: [
    {},
    { groupId: 'a' },
    { groupId: 'a', topic: 'b' },
    { groupId: 'a', topic: 'b', partitions: [] },
  ],
  resetOffsets: [{}, { groupId: 'a' }],
  deleteTopicRecords: [{}, { topic: 1 }, { topic: 'a' }, { topic: 'a', partitions: [] }],
  deleteGroups: [undefined, 'a', [1]],
  describeConfigs: [
    {},
    { resources: [] },
    { resources: [{ type: 77, name: 'a' }] },
    { resources: [{ type: 2, name: '' }] },
    { resources: [{ type: 2, name: 'a', configNames: 'b' }] },
  ],
  alterConfigs: [
    {},
    { resources: [] },
    { resources: [{ type: 77, name: 'a' }] },
    { resources: [{ type: 2 }] },
    { resources: [{ type: 2, name: 'a' }] },
    { resources: [{ type: 2, name: 'a', configEntries: [{ name: 'b', value: 1 }] }] },
  ],
  createAcls: [
    {},
    { acl: [] },
    ...Object.keys(ACL).map((field) => ({ acl: [{ ...ACL, [field]: undefined }] })),
    { acl: [{ ...ACL, operation: 99 }] },
  ],
  describeAcls: [
    {},
    ...Object.keys(ACL).map((field) => Object.assign({}, ACL, { [field]: null })),
    { ...ACL, resourcePatternType: 99 },
  ],
  deleteAcls: [
    {},
    { filters: [] },
    ...Object.keys(ACL).map((field) => ({ filters: [{ ...ACL, [field]: null }] })),
  ],
};

describe('the arguments of', () => {
  it.each(Object.entries(REFUSED))('%s are refused as by kafkajs', async (method, refused) => {
    for (const argument of refused) {
      const expected = await refusal(stock, method, argument);
      expect(expected).toMatchObject({ name: 'KafkaJSNonRetriableError' });
      expect(await refusal(ours, method, argument), JSON.stringify(argument)).toEqual(expected);
    }
  });
});

const nonsense = (admin: unknown) => () => (admin as { on(name: string): void }).on('nonsense');

/** What JSON cannot write. */
const circular: Record<string, unknown> = {};
circular['itself'] = circular;

describe('an admin client', () => {
  it.each([
    ['describeConfigs', { resources: [{ type: circular, name: 'a' }] }, 'Invalid resource type'],
    ['describeConfigs', { resources: [{ type: 2, name: 1n }] }, 'Invalid resource name'],
    [
      'describeConfigs',
      { resources: [{ type: 2, name: 'a', configNames: 1n }] },
      'Invalid resource configNames',
    ],
    [
      'alterConfigs',
      { resources: [{ type: 2, name: 'a', configEntries: circular }] },
      'Invalid resource configEntries',
    ],
    [
      'alterConfigs',
      { resources: [{ type: 2, name: 'a', configEntries: [{ name: 'b', value: 1n }] }] },
      'Invalid resource config value',
    ],
    ['createAcls', { acl: [{ ...ACL, operation: 1n }] }, 'Invalid operation type'],
  ])('%s refuses what JSON cannot write by the same text', async (method, argument, text) => {
    expect(await refusal(ours, method, argument)).toMatchObject({
      name: 'KafkaJSNonRetriableError',
      message: expect.stringContaining(text),
    });
  });

  it('describes groups once it is connected, by an array of names', async () => {
    expect(await refusal(ours, 'describeGroups', ['g', 'h'])).toMatchObject({
      name: 'KafkaJSNonRetriableError',
      message: 'The admin client is not connected: call connect() first',
    });
    for (const groupIds of [undefined, null, 'g', new Uint8Array(2), new Set(['g']), [1], [null]]) {
      expect(await refusal(ours, 'describeGroups', groupIds)).toMatchObject({
        name: 'KafkaJSNonRetriableError',
        message: expect.stringContaining('Invalid groupId'),
      });
    }
  });

  it('has kafkajs’s members, which need no this', async () => {
    const missing = Object.keys(stock).filter((name) => !(name in ours));
    expect(missing).toEqual([]);
    const { createTopics, logger, on } = ours;
    await expect(createTopics({ topics: [{ topic: 'a' }] })).rejects.toThrow('is not connected');
    expect(logger()).toBe(ours.logger());
    expect(on('admin.connect', () => undefined)).toBeTypeOf('function');
    expect(ours).toBeInstanceOf(Admin);
  });

  it('refuses unknown events and options', () => {
    expect(nonsense(stock)).toThrow('Event name should be one of');
    expect(nonsense(ours)).toThrow('Event name should be one of');
    expect(() => new Kafka(options).admin({ nonsense: 1 } as never)).toThrow('admin.nonsense');
  });

  it.each(['alterPartitionReassignments', 'listPartitionReassignments'])(
    'does not have %s',
    async (method) => {
      expect(await refusal(ours, method, { topics: [] })).toMatchObject({
        name: 'KafkaJSNotImplemented',
        message: expect.stringContaining(`admin.${method}() is not supported by librdkafka: use `),
      });
    },
  );
});
