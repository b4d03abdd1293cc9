import { Controller, type Type } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { afterAll, afterEach, describe, expect } from 'vitest';
import { optionsFor, startClient, startServer } from '../harness/apps';
import { closeBroker, committed, createTopics, describeGroup, rawProducer, unique } from '../harness/broker';
import { onEither } from '../harness/kinds';
import { outcome, type Outcome } from '../harness/outcome';
import type { Side } from '../harness/side';
import { Gate, openGates, until, within } from '../harness/wait';
import { scenario, world } from '../harness/world';

afterEach(openGates);
afterAll(closeBroker);

/** Gates by name, which the slow handlers wait at. */
const gates = new Map<string, Gate>();

function gate(name: string): Gate {
  const found = gates.get(name) ?? new Gate();
  gates.set(name, found);
  return found;
}

function controllers(side: Side): Type[] {
  @Controller()
  class Slow {
    @MessagePattern(side.topic('slow'))
    async slow(@Payload() name: string): Promise<string> {
      side.see('slow', name);
      if (name.startsWith('gate')) await gate(`${side.prefix} ${name}`).pass();
      return `done: ${name}`;
    }

    @MessagePattern(side.topic('deaf'))
    deaf(): string {
      return 'nobody awaits this';
    }
  }
  return [Slow];
}

function notSubscribed(topic: string): string {
  return `The client consumer did not subscribe to the corresponding reply topic (${topic}).`;
}

const all = world({ topics: { slow: 1, deaf: 1 }, replies: ['slow'], controllers });

describe('R2 patterns that are not subscribed', () => {
  scenario(
    all,
    'send() errors with the name of the reply topic, nothing is sent, and others go on',
    async (side) => {
      const refused = await side.send('deaf', 'x');
      const unknown = await side.send('nowhere', 'x');
      const sent = (await side.records('deaf')).length;
      const subscribed = await side.send('slow', 'x');
      // Of a request that has failed there is nothing to wait for, and its error is to be shown.
      const handled = (subscribed as Outcome).ended === 'failed' ? [] : await side.take('slow', 1);
      return { refused, unknown, sent, subscribed, handled };
    },
    (picture) => {
      expect(picture).toMatchObject({
        refused: { values: [], ended: 'failed', error: { error: notSubscribed('deaf.reply') } },
        unknown: { ended: 'failed', error: { error: notSubscribed('nowhere.reply') } },
        sent: 0,
        subscribed: { values: ['done: x'], ended: 'completed' },
      });
    },
  );

  scenario(
    all,
    'null patterns and data are refused',
    async (side) => {
      const client = await side.client();
      return {
        noPattern: await outcome(client.send(null as never, 'x')),
        noData: await outcome(client.send(side.topic('slow'), null)),
        undefinedData: await outcome(client.send(side.topic('slow'), undefined)),
        noEvent: await outcome(client.emit(side.topic('slow'), undefined)),
        noBatch: await outcome(client.emitBatch(side.topic('slow'), undefined as never)),
      };
    },
    (picture) => {
      expect(picture).toMatchObject({ noPattern: { ended: 'failed', error: { error: expect.any(String) } } });
    },
  );
});

describe('R4 requests that end early', () => {
  scenario(
    all,
    'unsubscribing forgets the request, the next one is answered',
    async (side) => {
      const client = await side.client();
      await side.serverReady();
      const values: unknown[] = [];
      const request = client.send(side.topic('slow'), 'gate 1').subscribe((value) => values.push(value));
      await side.take('slow', 1);
      request.unsubscribe();
      gate(`${side.prefix} gate 1`).open();
      const next = await side.send('slow', 'after');
      return {
        values,
        next,
        handled: await side.take('slow', 1),
        replies: (await side.records('slow.reply')).length,
      };
    },
    (picture) => {
      expect(picture).toMatchObject({ values: [], next: { values: ['done: after'] }, replies: 3 });
    },
  );

  scenario(
    all,
    'send() does nothing until it is subscribed, and sends again for every subscriber',
    async (side) => {
      const client = await side.client();
      const request = client.send(side.topic('slow'), 'twice');
      const before = (await side.records('slow')).length;
      const answers = [await outcome(request), await outcome(request)];
      const sent = (await side.records('slow')).length - before;
      return { sent, answers, handled: await side.take('slow', 2) };
    },
    (picture) => {
      expect(picture).toMatchObject({ sent: 2, answers: [{ ended: 'completed' }, { ended: 'completed' }] });
    },
  );

  onEither(
    'close() errors the pending requests, and a later send() connects again',
    async (kind) => {
      const topic = unique('closing');
      const hold = new Gate();
      const waiting: string[] = [];
      await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
      @Controller()
      class Holding {
        @MessagePattern(topic)
        async hold(@Payload() name: string): Promise<string> {
          waiting.push(name);
          if (name !== 'free') await hold.pass();
          return name;
        }
      }
      const server = await startServer(kind, [Holding], optionsFor(topic));
      const client = await startClient(kind, [topic], optionsFor(topic));
      try {
        const pending = [outcome(client.send(topic, 'first')), outcome(client.send(topic, 'second'))];
        await until('the first request is handled', () => waiting.length > 0);
        await within('the client to close', client.close());
        const closed = await Promise.all(pending);
        hold.open();
        return { closed, again: await outcome(client.send(topic, 'free')) };
      } finally {
        await Promise.all([client.close(), server.close()]);
      }
    },
    (picture) => {
      const failed = { values: [], ended: 'failed', error: { error: 'Connection closed' } };
      expect(picture).toEqual({ closed: [failed, failed], again: { values: ['free'], ended: 'completed' } });
    },
  );
});

/** A server on a topic of two partitions that counts its events; the first waits at the gate if asked to. */
function counting(topic: string, handled: unknown[], hold?: Gate): Type {
  @Controller()
  class Counting {
    @EventPattern<string>(topic)
    async count(@Payload() data: unknown): Promise<void> {
      handled.push(`started ${String(data)}`);
      await hold?.pass();
      handled.push(`finished ${String(data)}`);
    }
  }
  return Counting;
}

describe('E6 close', () => {
  onEither(
    'commits what was handled; the next server starts behind it',
    async (kind) => {
      const topic = unique('closing');
      await createTopics({ [topic]: 2 });
      const handled: unknown[] = [];
      const again: unknown[] = [];
      const producer = await rawProducer();
      const send = (values: string[]): Promise<unknown> =>
        producer.send({
          topic,
          messages: values.flatMap((value) => [0, 1].map((partition) => ({ partition, value }))),
        });

      const server = await startServer(kind, [counting(topic, handled)], optionsFor(topic));
      await send(['a', 'b', 'c']);
      await until('all are handled', () => handled.length >= 12);
      await server.close();
      const offsets = await committed(`${topic}-server`, topic);

      await send(['d']);
      const next = await startServer(kind, [counting(topic, again)], optionsFor(topic));
      await until('the new ones are handled', () => again.length >= 4);
      await next.close();
      return {
        handled: handled.toSorted(),
        offsets,
        again: again.toSorted(),
        end: await committed(`${topic}-server`, topic),
      };
    },
    (picture) => {
      expect(picture).toMatchObject({
        offsets: { 0: 3, 1: 3 },
        again: ['finished d', 'finished d', 'started d', 'started d'],
        end: { 0: 4, 1: 4 },
      });
    },
  );

  onEither(
    'waits for the running handler, and commits its message',
    async (kind) => {
      const topic = unique('closing');
      await createTopics({ [topic]: 1 });
      const handled: unknown[] = [];
      const hold = new Gate();
      const server = await startServer(kind, [counting(topic, handled, hold)], optionsFor(topic));
      await (await rawProducer()).send({ topic, messages: [{ value: 'slow' }] });
      await until('the handler has started', () => handled.length > 0);
      const closing = server.close().then(() => handled.push('closed'));
      hold.open();
      await within('the server to close', closing);
      return { handled, offsets: await committed(`${topic}-server`, topic) };
    },
    (picture) => {
      expect(picture).toEqual({ handled: ['started slow', 'finished slow', 'closed'], offsets: { 0: 1 } });
    },
  );

  onEither(
    'leaves the groups of server and client',
    async (kind) => {
      const topic = unique('closing');
      await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
      const server = await startServer(kind, [counting(topic, [])], optionsFor(topic));
      const client = await startClient(kind, [topic], optionsFor(topic));
      const groups = async (): Promise<unknown[]> => {
        const found = [await describeGroup(`${topic}-server`), await describeGroup(`${topic}-client`)];
        return found.map(({ state, members }) => [state, members.length]);
      };
      const open = await groups();
      await Promise.all([client.close(), server.close()]);
      return { open, closed: await groups() };
    },
    (picture) => {
      const [stable, empty] = [
        ['Stable', 1],
        ['Empty', 0],
      ];
      expect(picture).toEqual({ open: [stable, stable], closed: [empty, empty] });
    },
  );
});
