import { Controller, type Type } from '@nestjs/common';
import { type ClientKafka, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { afterAll, describe, expect } from 'vitest';
import { listen, optionsFor, startClient, startServer } from '../harness/apps';
import { closeBroker, createTopics, describeGroup, unique } from '../harness/broker';
import { onEither } from '../harness/kinds';
import { outcome } from '../harness/outcome';
import { replaceText } from '../harness/plain';
import { Tap } from '../harness/tap';
import { transport, type Kind, type TransportOptions } from '../harness/transports';
import { until } from '../harness/wait';

afterAll(closeBroker);

function echo(topic: string): Type {
  @Controller()
  class Echo {
    @MessagePattern(topic)
    echo(@Payload() data: unknown): unknown {
      return data;
    }
  }
  return Echo;
}

/** Client ids of a group's members, and how it divides its topics, once it is stable: stock listens before it has joined. */
async function group(groupId: string): Promise<object> {
  const { members, protocolType, state } = await until(`${groupId} is stable`, async () => {
    const described = await describeGroup(groupId);
    return described.state === 'Stable' && described;
  });
  return { clientIds: members.map(({ clientId }) => clientId), protocolType, state };
}

interface Ends {
  server: { clientId: string; groupId: string };
  client: { clientId: string; groupId: string };
}

/** Starts a server and a client called `name`; describes the groups that `ends` says they are in. */
async function names(kind: Kind, extra: TransportOptions, ends: (name: string) => Ends): Promise<unknown> {
  const name = unique('names');
  await createTopics({ [name]: 1, [`${name}.reply`]: 1 });
  const server = await startServer(kind, [echo(name)], optionsFor(name, extra));
  const client = await startClient(kind, [name], optionsFor(name, extra));
  const expected = ends(name);
  try {
    const groups = [await group(expected.server.groupId), await group(expected.client.groupId)];
    return replaceText({ groups, expected }, name, 'NAME');
  } finally {
    await Promise.all([client.close(), server.close()]);
  }
}

function stable(clientId: string): object {
  return { clientIds: [clientId], state: 'Stable', protocolType: 'consumer' };
}

describe('N1 client ids and group ids', () => {
  onEither(
    'get -server and -client',
    (kind) =>
      names(kind, {}, (name) => ({
        server: { clientId: `${name}-server`, groupId: `${name}-server` },
        client: { clientId: `${name}-client`, groupId: `${name}-client` },
      })),
    (picture) => {
      expect(picture).toMatchObject({ groups: [stable('NAME-server'), stable('NAME-client')] });
    },
  );

  onEither(
    'get postfixId instead',
    async (kind) => {
      const name = unique('names');
      await createTopics({ [name]: 1, [`${name}.reply`]: 1 });
      const serverOptions = optionsFor(name, { postfixId: '-left' });
      const server = await startServer(kind, [echo(name)], serverOptions);
      const client = await startClient(kind, [name], optionsFor(name, { postfixId: '' }));
      try {
        return replaceText([await group(`${name}-left`), await group(name)], name, 'NAME');
      } finally {
        await Promise.all([client.close(), server.close()]);
      }
    },
    (picture) => {
      expect(picture).toMatchObject([stable('NAME-left'), stable('NAME')]);
    },
  );

  onEither(
    'can be replaced in the constructor of a subclass',
    async (kind) => {
      const name = unique('names');
      await createTopics({ [name]: 1, [`${name}.reply`]: 1 });
      const { ServerKafka, ClientKafka } = await transport(kind);
      class OwnServer extends ServerKafka {
        constructor(options: TransportOptions) {
          super(options);
          this.clientId = `${name}-my-server`;
          this.groupId = `${name}-my-servers`;
        }
      }
      class OwnClient extends ClientKafka {
        constructor(options: TransportOptions) {
          super(options);
          this.clientId = `${name}-my-client`;
          this.groupId = `${name}-my-clients`;
        }
      }
      const server = await listen(new OwnServer(optionsFor('unused')), [echo(name)]);
      const client = new OwnClient(optionsFor('unused'));
      client.subscribeToResponseOf(name);
      await client.connect();
      try {
        const groups = [await group(`${name}-my-servers`), await group(`${name}-my-clients`)];
        return replaceText(groups, name, 'NAME');
      } finally {
        await Promise.all([client.close(), server.close()]);
      }
    },
    (picture) => {
      expect(picture).toMatchObject([stable('NAME-my-server'), stable('NAME-my-client')]);
    },
  );

  onEither(
    'have defaults',
    async (kind) => {
      const { ServerKafka, ClientKafka } = await transport(kind);
      class ShownServer extends ServerKafka {
        show(): unknown {
          return [this.clientId, this.groupId, this.brokers, this.transportId];
        }
      }
      class ShownClient extends ClientKafka {
        show(): unknown {
          return [this.clientId, this.groupId, this.brokers];
        }
      }
      return [new ShownServer({}).show(), new ShownClient({}).show()];
    },
    (picture) => {
      expect(picture).toEqual([
        ['nestjs-consumer-server', 'nestjs-group-server', ['localhost:9092'], Transport.KAFKA],
        ['nestjs-consumer-client', 'nestjs-group-client', ['localhost:9092']],
      ]);
    },
  );
});

const patterns: unknown[] = [
  'hero.kill.dragon',
  12345,
  { cmd: 'kill' },
  { z: 1, a: { nested: 'x', more: 2 } },
  { text: 'with "quotes" and \\' },
  { a: { b: { c: { d: { e: { f: { g: 'deep' } } } } } } },
  Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`key${index}`, index])),
];

describe('N2 topics', () => {
  onEither(
    'a subclass names the reply topic',
    async (kind) => {
      const name = unique('names');
      await createTopics({ [name]: 1, [`${name}-answers`]: 2 });
      const { ClientKafka } = await transport(kind);
      class OwnClient extends ClientKafka {
        protected override getResponsePatternName(pattern: string): string {
          return `${pattern}-answers`;
        }
      }
      const server = await startServer(kind, [echo(name)], optionsFor(name));
      const client: ClientKafka = new OwnClient(optionsFor(name, { subscribe: { fromBeginning: true } }));
      const tap = await Tap.on([`${name}-answers`]);
      try {
        client.subscribeToResponseOf(name);
        await client.connect();
        const answer = await outcome(client.send(name, { id: 1 }));
        const replies = await tap.read(`${name}-answers`, 1);
        const assignments = client.getConsumerAssignments();
        const picture = { answer, replies: replies.map(({ value }) => value), assignments };
        return replaceText(picture, name, 'NAME');
      } finally {
        await Promise.all([client.close(), server.close(), tap.close()]);
      }
    },
    (picture) => {
      expect(picture).toEqual({
        answer: { values: [{ id: 1 }], ended: 'completed' },
        replies: ['{"id":1}'],
        assignments: { 'NAME-answers': 0 },
      });
    },
  );

  onEither(
    'patterns that are objects or numbers become routes',
    async (kind) => {
      const { ServerKafka, ClientKafka } = await transport(kind);
      const asked: string[] = [];
      class OwnClient extends ClientKafka {
        protected override getResponsePatternName(pattern: string): string {
          asked.push(pattern);
          return super.getResponsePatternName(pattern);
        }
      }
      const client = new OwnClient({});
      const server = new ServerKafka({});
      for (const pattern of patterns) {
        client.subscribeToResponseOf(pattern);
        server.addHandler(pattern, async () => undefined);
      }
      const handled = asked.map((route) => server.getHandlerByPattern(route) !== null);
      return { asked, handlers: [...server.getHandlers().keys()], handled };
    },
    (picture) => {
      expect(picture).toMatchObject({
        asked: [
          'hero.kill.dragon',
          '12345',
          '{"cmd":"kill"}',
          '{"a":{"more":2,"nested":"x"},"z":1}',
          {},
          {},
          {},
        ].map((route) => (typeof route === 'string' ? route : expect.any(String))),
      });
    },
  );

  onEither(
    'a number is a topic',
    async (kind) => {
      const number = Math.floor(Math.random() * 2 ** 50);
      const topic = String(number);
      await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
      const server = await startServer(
        kind,
        [echo(number as unknown as string)],
        optionsFor(unique('names')),
      );
      const client = await startClient(kind, [number], optionsFor(unique('names')));
      try {
        return await outcome(client.send(number, 'to a number'));
      } finally {
        await Promise.all([client.close(), server.close()]);
      }
    },
    (picture) => {
      expect(picture).toEqual({ values: ['to a number'], ended: 'completed' });
    },
  );
});
