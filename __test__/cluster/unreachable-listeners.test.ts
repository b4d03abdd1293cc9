import { Kafka, logLevel } from 'nestjs-kafka-native';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker, type Broker } from '../broker/start.mjs';

// A broker that advertises an address at which nothing answers: its bootstrap address alone can be asked.

let broker: Broker;
let port = 0;

beforeAll(async () => {
  broker = await startBroker({
    properties: (own) => {
      port = own.port + 20;
      return {
        listeners: `PLAINTEXT://127.0.0.1:${own.port},AWAY://127.0.0.1:${port},CONTROLLER://127.0.0.1:${own.controllerPort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${own.port},AWAY://127.0.0.1:9`,
        'inter.broker.listener.name': 'PLAINTEXT',
        'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,AWAY:PLAINTEXT',
      };
    },
  });
});

afterAll(() => broker?.dispose());

// The answer to librdkafka's own first request names the other address. If it gave the bootstrap address up for that, the application's
// requests would be answered now and then: each time that it has tried all others in vain and starts anew.
test('a client stays connected to the bootstrap address, and learns from it where the broker should be', async () => {
  const kafka = new Kafka({ brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const greeted: string[] = [];
  admin.on(admin.events.REQUEST, ({ payload }) => {
    if (payload.apiName === 'ApiVersions') greeted.push(payload.broker);
  });
  await admin.connect();
  try {
    for (let round = 0; round < 20; round += 1) {
      const { brokers } = await admin.describeCluster();
      expect(brokers).toEqual([expect.objectContaining({ host: '127.0.0.1', port: 9 })]);
    }
    expect(greeted).toEqual([`127.0.0.1:${port}`]);
  } finally {
    await admin.disconnect();
  }
});
