// A spec for an application on Kafka that needs no Kafka. It runs in Jest and in Vitest alike: see jest.config.cjs and
// vitest.config.mts beside it.

import type { INestMicroservice } from '@nestjs/common';
import { ClientKafka, type NestKafkaOptions } from 'nestjs-kafka-native';
import { MockKafka } from 'nestjs-kafka-native/testing';
import { lastValueFrom } from 'rxjs';
import { startGreeter } from './greeter.js';

describe('the greeter', () => {
  let kafka: MockKafka;
  let app: INestMicroservice;
  let client: ClientKafka;

  beforeAll(async () => {
    kafka = MockKafka.start({ topics: { greet: 1, 'greet.reply': 1 } });
    const options: NestKafkaOptions = {
      client: { brokers: kafka.brokers, logLevel: 0 }, // the broker is stopped below: no log of that
      consumer: { groupId: 'greeter', ...MockKafka.consumerOptions },
    };
    app = await startGreeter(options);
    client = new ClientKafka(options);
    client.subscribeToResponseOf('greet');
    await client.connect();
  });

  // The broker last: what is connected to it closes at once then.
  afterAll(async () => {
    await client.close();
    await app.close();
    await kafka.stop();
  });

  const greet = (name: string) => lastValueFrom(client.send<string>('greet', name));

  it('greets', async () => {
    expect(await greet('Ada')).toBe('Hello, Ada');
  });

  it('tells the caller what the broker has against a request', async () => {
    kafka.failNext('Produce', 'MESSAGE_TOO_LARGE');
    await expect(greet('Ada')).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' });
  });

  it('answers late when the broker was away', async () => {
    kafka.stopBroker();
    const answer = greet('Grace');
    kafka.startBroker();
    expect(await answer).toBe('Hello, Grace');
  });
});
