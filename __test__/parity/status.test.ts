import { Controller, type Type } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { afterAll, describe, expect } from 'vitest';
import { listen, optionsFor } from '../harness/apps';
import { closeBroker, createTopics, unique } from '../harness/broker';
import { onEither } from '../harness/kinds';
import { plain, replaceText } from '../harness/plain';
import { transport } from '../harness/transports';

afterAll(closeBroker);

function handlers(topic: string): Type {
  @Controller()
  class Handlers {
    @MessagePattern(topic)
    message(): string {
      return 'ok';
    }

    @EventPattern<string>(`${topic}.event`)
    event(): void {
      // Only there to be subscribed.
    }
  }
  return Handlers;
}

/** Collects what a status stream emits, as it comes. */
function collect(status: Observable<unknown>): unknown[] {
  const seen: unknown[] = [];
  status.subscribe((value) => seen.push(value));
  return seen;
}

function attempt(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return plain(error);
  }
}

describe('S1 status', () => {
  onEither(
    'of a server: through listen and close',
    async (kind) => {
      const topic = unique('status');
      await createTopics({ [topic]: 1, [`${topic}.event`]: 1 });
      const { ServerKafka } = await transport(kind);
      const server = new ServerKafka(optionsFor(topic));
      const seen = collect(server.status);
      const before = [...seen];
      const { app } = await listen(server, [handlers(topic)]);
      const listening = [...seen];
      const replayed = collect(server.status);
      await app.close();
      return { before, listening, replayed, seen };
    },
    (picture) => {
      expect(picture).toMatchObject({ before: [], listening: ['connected'] });
      expect(picture).toMatchObject({ seen: ['connected', 'stopped', 'disconnected'] });
    },
  );

  onEither(
    'of a client: through connect, close and connect',
    async (kind) => {
      const topic = unique('status');
      await createTopics({ [`${topic}.reply`]: 1 });
      const { ClientKafka } = await transport(kind);
      const client = new ClientKafka(optionsFor(topic));
      client.subscribeToResponseOf(topic);
      const seen = collect(client.status);
      await client.connect();
      const connected = [...seen];
      await client.close();
      const closed = [...seen];
      await client.connect();
      await client.close();
      return {
        connected,
        closed: closed.toSorted(),
        last: closed.at(-1),
        again: seen.length - closed.length,
      };
    },
    (picture) => {
      expect(picture).toMatchObject({ connected: ['connected'], last: 'disconnected' });
    },
  );

  onEither(
    'of a client that only produces',
    async (kind) => {
      const { ClientKafka } = await transport(kind);
      const client = new ClientKafka(optionsFor(unique('status'), { producerOnlyMode: true }));
      const seen = collect(client.status);
      await client.connect();
      await client.close();
      return seen;
    },
    (picture) => {
      expect(picture).toEqual(['connected', 'disconnected']);
    },
  );
});

describe('S2 getters', () => {
  onEither(
    'before connect() and listen(), and what is not supported',
    async (kind) => {
      const { ServerKafka, ClientKafka } = await transport(kind);
      const client = new ClientKafka(optionsFor('never-connected'));
      const server = new ServerKafka(optionsFor('never-connected'));
      return {
        producer: attempt(() => client.producer),
        consumer: attempt(() => client.consumer),
        unwrap: attempt(() => client.unwrap()),
        commitOffsets: attempt(() => client.commitOffsets([])),
        on: attempt(() => {
          client.on('connect', () => undefined);
        }),
        assignments: client.getConsumerAssignments(),
        unwrapServer: attempt(() => server.unwrap()),
        onServer: attempt(() => {
          server.on('connect', () => undefined);
        }),
        close: await client.close(),
      };
    },
    (picture) => {
      expect(picture).toMatchObject({
        producer: { error: 'No producer initialized. Please, call the "connect" method first.' },
        consumer: { error: 'No consumer initialized. Please, call the "connect" method first.' },
        commitOffsets: { error: 'No consumer initialized' },
      });
    },
  );

  onEither(
    'after connect(), listen() and close()',
    async (kind) => {
      const topic = unique('status');
      await createTopics({ [topic]: 1, [`${topic}.event`]: 1, [`${topic}.reply`]: 2 });
      const { ServerKafka, ClientKafka } = await transport(kind);
      const server = new ServerKafka(optionsFor(topic));
      const { app } = await listen(server, [handlers(topic)]);
      const client = new ClientKafka(optionsFor(topic));
      client.subscribeToResponseOf(topic);
      const connected = await client.connect();
      const { producer, consumer } = client;
      const open = {
        producer: [connected === producer, client.producer === producer, typeof producer.send],
        consumer: [client.consumer === consumer, typeof consumer.commitOffsets],
        again: (await client.connect()) === producer,
        unwrap: typeof client.unwrap<{ consumer: unknown }>().consumer,
        unwrapServer: server.unwrap<object[]>().map((part) => 'logger' in part),
        assignments: client.getConsumerAssignments(),
      };
      await client.close();
      await app.close();
      const closed = {
        producer: attempt(() => client.producer),
        consumer: attempt(() => client.consumer),
        unwrap: attempt(() => client.unwrap()),
        unwrapServer: attempt(() => server.unwrap()),
      };
      return replaceText({ open, closed }, topic, 'TOPIC');
    },
    (picture) => {
      expect(picture).toMatchObject({
        open: {
          producer: [true, true, 'function'],
          unwrap: 'function',
          unwrapServer: [true, true, true],
          assignments: { 'TOPIC.reply': 0 },
        },
        closed: { producer: { error: 'No producer initialized. Please, call the "connect" method first.' } },
      });
    },
  );

  onEither(
    'of a client that only produces',
    async (kind) => {
      const { ClientKafka } = await transport(kind);
      const client = new ClientKafka(optionsFor(unique('status'), { producerOnlyMode: true }));
      await client.connect();
      try {
        return {
          producer: typeof client.producer.send,
          consumer: attempt(() => client.consumer),
          commitOffsets: attempt(() => client.commitOffsets([])),
        };
      } finally {
        await client.close();
      }
    },
    (picture) => {
      expect(picture).toMatchObject({
        producer: 'function',
        commitOffsets: { error: 'No consumer initialized' },
      });
    },
  );
});
