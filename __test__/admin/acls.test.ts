import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
  type AclEntry,
} from 'kafkajs';
import * as native from 'nestjs-kafka-native';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBroker, type Broker } from '../broker/start.mjs';
import { unique } from '../harness/broker';
import { until } from '../harness/wait';
import { connected, nativeAdmin, same, stockAdmin } from './pair';

let broker: Broker | undefined;

// A broker of its own: the shared one has no authorizer.
beforeAll(async () => {
  broker = await startBroker({
    properties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'allow.everyone.if.no.acl.found': true,
    },
  });
});
const pair = connected(() => [broker?.brokers ?? '']);
afterAll(async () => {
  await broker?.dispose();
});

const rule = (resourceName: string, principal: string): AclEntry => ({
  resourceType: AclResourceTypes.TOPIC,
  resourceName,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal,
  host: '*',
  operation: AclOperationTypes.READ,
  permissionType: AclPermissionTypes.ALLOW,
});

const about = (resourceName: string) => ({
  resourceType: AclResourceTypes.TOPIC,
  resourceName,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  operation: AclOperationTypes.ANY,
  permissionType: AclPermissionTypes.ANY,
});

/** The controller answers before the broker that is asked next has heard of a change. */
function rulesOf(name: string, count: number): Promise<true> {
  return until(`there are ${count} rules of ${name}`, async () => {
    const { resources } = await pair.ours.describeAcls(about(name));
    return resources.flatMap(({ acls }) => acls).length === count;
  });
}

describe('access rules', () => {
  it('are created, described and deleted as kafkajs does', async () => {
    const name = unique('admin');
    expect(await pair.ours.createAcls({ acl: [rule(name, 'User:bob'), rule(name, 'User:eve')] })).toBe(true);
    await rulesOf(name, 2);
    const described = await same(pair, async (admin) => {
      const { resources } = await admin.describeAcls(about(name));
      for (const { acls } of resources) acls.sort((a, b) => a.principal.localeCompare(b.principal));
      return resources;
    });
    expect(described).toMatchObject([
      { resourceName: name, acls: [{ principal: 'User:bob' }, { principal: 'User:eve' }] },
    ]);
    // What one has deleted the other does not find: each deletes the rules of one principal.
    const filter = (principal: string) => ({ ...about(name), principal });
    const ours = await pair.ours.deleteAcls({ filters: [filter('User:bob')] });
    const stock = await pair.stock.deleteAcls({ filters: [filter('User:eve')] });
    const named = JSON.parse(JSON.stringify(stock).replace('User:eve', 'User:bob')) as unknown;
    expect(ours).toEqual(named);
    expect(ours.filterResponses[0]?.matchingAcls).toHaveLength(1);
    await rulesOf(name, 0);
    expect(await same(pair, (admin) => admin.describeAcls(about(name)))).toEqual({ resources: [] });
  });

  it('are refused as the broker refuses them', async () => {
    const bad = rule(unique('admin'), 'nobody');
    await same(pair, (admin) => admin.createAcls({ acl: [bad] }));
  });

  it('of a cluster that has none are an error', async () => {
    const plain = { ours: nativeAdmin(), stock: stockAdmin() };
    await Promise.all([plain.ours.connect(), plain.stock.connect()]);
    try {
      expect(await same(plain, (admin) => admin.describeAcls(about('any')))).toMatchObject({
        rejected: { type: 'SECURITY_DISABLED' },
      });
    } finally {
      await Promise.all([plain.ours.disconnect(), plain.stock.disconnect()]);
    }
  });

  it('about delegation tokens are not supported', async () => {
    const acl = { ...rule('token', 'User:bob'), resourceType: AclResourceTypes.DELEGATION_TOKEN };
    await expect(pair.ours.createAcls({ acl: [acl] })).rejects.toThrow(native.KafkaJSNotImplemented);
  });
});
