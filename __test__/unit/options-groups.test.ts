import { describe, expect, it } from 'vitest';
import { PartitionAssigners } from '../../lib/kafkajs/group/partition-assigners';
import type { PartitionAssigner } from '../../lib/kafkajs/types';
import { validateNestOptions } from '../../lib/nest/options';
import { consumerProperties } from '../../lib/options';

const kafka = { brokers: ['localhost:9092'] };

const of = (...partitionAssigners: PartitionAssigner[]) =>
  consumerProperties(kafka, { groupId: 'g', partitionAssigners });

describe("options of a consumer's group", () => {
  it('a client divides its reply partitions itself, so it takes no assigners', () => {
    const options = { consumer: { partitionAssigners: [() => ({})] } };
    expect(() => validateNestOptions('client', options)).toThrow('Option consumer.partitionAssigners');
    expect(() => validateNestOptions('server', options)).not.toThrow();
  });

  it.each([{ groupProtocol: 'consumer' }, { librdkafka: { 'group.protocol': 'consumer' } }])(
    'a client of a group that the broker divides is refused, unless it picks its partitions itself: %o',
    (consumer) => {
      expect(() => validateNestOptions('client', { consumer })).toThrow('group.protocol');
      expect(() => validateNestOptions('client', { consumer, replies: 'assigned' })).not.toThrow();
      expect(() => validateNestOptions('server', { consumer })).not.toThrow();
    },
  );

  it('takes the cooperative strategy alone', () => {
    const { cooperativeSticky, roundRobin } = PartitionAssigners;
    const { properties, settings } = of(cooperativeSticky);
    expect(properties).toMatchObject({ 'partition.assignment.strategy': 'cooperative-sticky' });
    expect(settings.partitionAssigners).toBeUndefined();
    expect(of(roundRobin).properties).not.toHaveProperty(['partition.assignment.strategy']);
    expect(() => of(roundRobin, cooperativeSticky)).toThrow('consumer.partitionAssigners cannot have');
    expect(() => of()).toThrow('consumer.partitionAssigners is empty');
  });

  it('names the protocol and the static member', () => {
    const config = { groupId: 'g', groupProtocol: 'consumer' as const, groupInstanceId: 'one' };
    const { properties, settings } = consumerProperties(kafka, config);
    expect(properties).toMatchObject({ 'group.protocol': 'consumer', 'group.instance.id': 'one' });
    expect(properties).not.toHaveProperty(['session.timeout.ms']);
    expect(settings.groupProtocol).toBe('consumer');
  });

  it.each([
    { sessionTimeout: 6000 },
    { heartbeatInterval: 100 },
    { partitionAssigners: [PartitionAssigners.roundRobin] },
  ])('what the broker decides in its protocol is refused: %o', (option) => {
    const config = { groupId: 'g', groupProtocol: 'consumer' as const, ...option };
    expect(() => consumerProperties(kafka, config)).toThrow('contradicts consumer.groupProtocol');
  });
});
