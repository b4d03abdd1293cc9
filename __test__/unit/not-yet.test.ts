import { describe, expect, it } from 'vitest';
import { refuseInConsumer } from '../../lib/kafkajs/not-yet';
import { consumerProperties, validateNestOptions } from '../../lib/options';

const kafka = { brokers: ['localhost:9092'] };

describe('options that are not acted on yet', () => {
  it.each([[{ consumer: { partitionAssigners: [] } }, 'consumer.partitionAssigners']])(
    '%o is refused at construction, by name',
    (options, name) => {
      expect(() => validateNestOptions('server', options)).toThrow(`Option ${name} is not supported yet`);
    },
  );

  it('lets the others pass', () => {
    expect(() => refuseInConsumer(consumerProperties(kafka, { groupId: 'g' }).settings)).not.toThrow();
    const producer = { createPartitioner: () => () => 0, transactionalId: 't', maxInFlightRequests: 1 };
    const sasl = { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: 'x' }) };
    const options = { client: { ...kafka, sasl }, producer };
    expect(() => validateNestOptions('server', options)).not.toThrow();
  });

  it('a client of a group that the broker assigns is refused, unless it picks its partitions itself', () => {
    const options = { consumer: { librdkafka: { 'group.protocol': 'consumer' } } };
    expect(() => validateNestOptions('client', options)).toThrow('group.protocol');
    expect(() => validateNestOptions('client', { ...options, replies: 'assigned' })).not.toThrow();
    expect(() => validateNestOptions('server', options)).not.toThrow();
  });
});
