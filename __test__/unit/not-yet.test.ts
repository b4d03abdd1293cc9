import { describe, expect, it } from 'vitest';
import { refuseInConsumer, refuseInProducer } from '../../lib/kafkajs/not-yet';
import { consumerProperties, producerProperties, validateNestOptions } from '../../lib/options';

const kafka = { brokers: ['localhost:9092'] };

describe('options that are not acted on yet', () => {
  it.each([
    [{ producer: { createPartitioner: () => () => 0 } }, 'producer.createPartitioner'],
    [
      { producer: { transactionalId: 't', idempotent: true, maxInFlightRequests: 1 } },
      'producer.transactionalId',
    ],
    [{ consumer: { partitionAssigners: [] } }, 'consumer.partitionAssigners'],
    [
      {
        client: {
          ...kafka,
          ssl: true,
          sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: 'x' }) },
        },
      },
      'client.sasl.oauthBearerProvider',
    ],
  ])('%o is refused at construction, by name', (options, name) => {
    expect(() => validateNestOptions('server', options)).toThrow(`Option ${name} is not supported yet`);
  });

  it('lets the others pass', () => {
    expect(() => refuseInConsumer(consumerProperties(kafka, { groupId: 'g' }).settings)).not.toThrow();
    expect(() => refuseInProducer(producerProperties(kafka, { idempotent: true }).settings)).not.toThrow();
  });

  it('a client of a group that the broker assigns is refused, unless it picks its partitions itself', () => {
    const options = { consumer: { librdkafka: { 'group.protocol': 'consumer' } } };
    expect(() => validateNestOptions('client', options)).toThrow('group.protocol');
    expect(() => validateNestOptions('client', { ...options, replies: 'assigned' })).not.toThrow();
    expect(() => validateNestOptions('server', options)).not.toThrow();
  });
});
