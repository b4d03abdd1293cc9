import { Controller, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen, moduleOf, optionsFor } from './harness/apps';
import { closeBroker, createTopics, unique } from './harness/broker';
import { Doorway } from './harness/doorway';
import { logs } from './harness/logs';
import { outcome } from './harness/outcome';
import type { TransportOptions } from './harness/transports';
import { within } from './harness/wait';

const CONNECTION_ERROR = /connect|broker|ECONNREFUSED/i;

let topic = '';
let door: Doorway;

beforeEach(async () => {
  topic = unique('absent');
  door = await Doorway.closed();
  await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
});

afterEach(() => door.close());
afterAll(closeBroker);

/** Options that lead to the broker only through the doorway, and give up soon while it is closed. */
function throughDoor(): TransportOptions {
  const client = {
    brokers: [door.address],
    connectionTimeout: 2000,
    retry: { retries: 1, initialRetryTime: 50 },
  };
  return { ...optionsFor(topic, { client }), subscribe: { fromBeginning: true } };
}

function echo(): Type {
  @Controller()
  class Echo {
    @MessagePattern(topic)
    echo(@Payload() data: unknown): unknown {
      return data;
    }
  }
  return Echo;
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  const error = await within(
    'a rejection',
    promise.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  if (!(error instanceof Error)) throw new Error(`not rejected with an error: ${String(error)}`);
  return error;
}

describe('S3 a broker that cannot be reached', () => {
  test('a client rejects connect(), send() and emit(), and works once the broker is there', async () => {
    const server = await listen(
      new ServerKafka({ ...optionsFor(topic), subscribe: { fromBeginning: true } }),
      [echo()],
    );
    const client = new ClientKafka(throughDoor());
    client.subscribeToResponseOf(topic);
    try {
      expect((await rejection(client.connect())).message).toMatch(CONNECTION_ERROR);
      expect(await outcome(client.send(topic, 'x'))).toMatchObject({
        ended: 'failed',
        error: { message: expect.stringMatching(CONNECTION_ERROR) },
      });
      expect(await outcome(client.emit(topic, 'x'))).toMatchObject({ ended: 'failed' });
      expect(() => client.producer).toThrow('Please, call the "connect" method first');

      await door.open();
      await within('the client to connect', client.connect());
      expect(await outcome(client.send(topic, 'there'))).toEqual({ values: ['there'], ended: 'completed' });
    } finally {
      await client.close();
      await server.close();
    }
  });

  test('a server rejects listen(), and a later listen() succeeds', async () => {
    const strategy = new ServerKafka(throughDoor());
    const app = await NestFactory.createMicroservice(moduleOf([echo()]), {
      strategy,
      logger: logs,
      abortOnError: false,
    });
    const client = new ClientKafka(optionsFor(topic));
    client.subscribeToResponseOf(topic);
    try {
      expect((await rejection(app.listen())).message).toMatch(CONNECTION_ERROR);
      await door.open();
      await within('the server to listen', app.listen());
      expect(await outcome(client.send(topic, 'there'))).toEqual({ values: ['there'], ended: 'completed' });
    } finally {
      await client.close();
      await app.close();
    }
  });

  test('close() of what never connected resolves', async () => {
    const client = new ClientKafka(throughDoor());
    await rejection(client.connect());
    await within('the client to close', client.close());
    await within('a client that was never used to close', new ClientKafka(throughDoor()).close());
    await within('a server that was never used to close', new ServerKafka(throughDoor()).close());
  });
});
