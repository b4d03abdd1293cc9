import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, KafkaHeaders, MessagePattern, Payload } from '@nestjs/microservices';
import {
  Idempotent,
  ServerKafka,
  type IdempotentOptions,
  type KafkaContext,
  type NestKafkaOptions,
} from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listen, optionsFor } from '../harness/apps';
import { closeBroker, committed, createTopics, rawProducer, unique, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { Tap } from '../harness/tap';
import { Gate, openGates, until, within } from '../harness/wait';
import { ioRedis, pgPool, refuse, untilPrepared, type OwnStore } from './clients';
import type { StoreServer } from './servers';

// Handlers that run once for messages that are one, over the real stores: processes that are killed and that race, and stores that are away.

const PAYER = fileURLToPath(new URL('payer.mjs', import.meta.url));
const QUICK = { initialRetryTime: 20, maxRetryTime: 100 };

afterAll(closeBroker);

describe.each([ioRedis, pgPool])('$name', (kind) => {
  describe.runIf(kind.isThere)('is there, and', () => {
    const open: { close(): unknown }[] = [];
    let server: StoreServer;
    let topic = '';

    beforeAll(async () => {
      server = kind.server();
      await server.start();
      const first = kind.connect(server.path);
      await untilPrepared(kind, first);
      await first.close();
    }, 180_000);

    beforeEach(() => {
      topic = unique('paid');
    });

    afterEach(async () => {
      openGates();
      for (const each of open.splice(0).toReversed()) await each.close();
      // Also where a test has failed while it was away.
      await server.start();
    });

    afterAll(() => server?.dispose());

    function connected(): OwnStore {
      const own = kind.connect(server.path);
      open.push(own);
      return own;
    }

    function controller(
      options: Partial<IdempotentOptions>,
      pay: (id: string, attempt: number) => unknown,
    ): Type {
      const { store } = connected();
      @Controller()
      class Payments {
        @EventPattern<string>(topic)
        @Idempotent({ key: (id: string) => `${topic}:${id}`, store, ...options })
        pay(@Payload() id: string, @Ctx() context: KafkaContext): unknown {
          return pay(id, context.getDeliveryAttempt());
        }
      }
      return Payments;
    }

    const settings = (extra: NestKafkaOptions = {}): NestKafkaOptions => ({
      ...(optionsFor(topic) as NestKafkaOptions),
      ...extra,
      subscribe: { fromBeginning: true },
      consumer: {
        ...optionsFor(topic).consumer,
        retry: { ...QUICK, retries: 10_000 },
        ...extra.consumer,
      } as never,
    });

    async function serve(payments: Type, extra: NestKafkaOptions = {}): Promise<void> {
      open.push(await listen(new ServerKafka(settings(extra)) as never, [payments]));
    }

    const write = async (messages: { value: string; partition?: number }[]): Promise<void> => {
      await (await rawProducer()).send({ topic, messages });
    };

    test('two instances race for what was sent twice, and each is handled once', async () => {
      const [orders, partitions] = [200, 4];
      await createTopics({ [topic]: partitions });
      const paid: string[] = [];
      const pay = (id: string): Promise<void> => {
        paid.push(id);
        // So that the other one comes while it is at it.
        return new Promise((resolve) => setImmediate(resolve));
      };
      const first = controller({}, pay);
      const second = controller({}, pay);
      await serve(first);
      await serve(second);
      // The two of an order in different partitions, and so in hand at once.
      const messages = Array.from({ length: orders * 2 }, (_, n) => ({
        value: `o${n >> 1}`,
        partition: n % partitions,
      }));
      await write(messages);
      for (let partition = 0; partition < partitions; partition++)
        await untilCommitted(`${topic}-server`, topic, (orders * 2) / partitions, partition);
      expect(paid.toSorted()).toEqual(Array.from({ length: orders }, (_, n) => `o${n}`).toSorted());
    });

    test('a process that is killed before the store knows has its message handled again when its lease is over', async () => {
      await createTopics({ [topic]: 1 });
      const lease = 3000;
      const paid: string[] = [];
      const start = async (dies: boolean): Promise<{ ended: Promise<unknown>; kill(): void }> => {
        const options = settings({
          consumer: { sessionTimeout: 6000, heartbeatInterval: 500 } as never,
          deadLetter: { maxAttempts: 1, backoff: QUICK },
        });
        const isPostgres = kind === pgPool;
        const work = { topic, path: server.path, isPostgres, lease, dies, options };
        const child = fork(PAYER, [JSON.stringify(work)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
        const ended = once(child, 'exit');
        open.push({ close: () => child.kill('SIGKILL') });
        const listening = new Promise((resolve) => {
          child.on('message', (said: { paid?: string }) => {
            if (said.paid === undefined) resolve(undefined);
            else paid.push(said.paid);
          });
        });
        await within('a payer listens', Promise.race([listening, ended]), 60_000);
        return { ended, kill: () => child.kill('SIGKILL') };
      };
      const first = await start(true);
      await write([{ value: 'o1' }]);
      await within('it is killed', first.ended, 60_000);
      expect(paid).toEqual(['o1']);
      const second = await start(false);
      // It waits for the lease, and no delivery of that counts: with one attempt a failure would put it aside.
      await until('it is paid again', () => paid.length === 2, 60_000);
      await write([{ value: 'o1' }, { value: 'o2' }]);
      await untilCommitted(`${topic}-server`, topic, 3);
      expect(paid).toEqual(['o1', 'o1', 'o2']);
      second.kill();
      await second.ended;
    });

    test('what is forgotten after ttl is handled again', async () => {
      await createTopics({ [topic]: 1 });
      const paid: string[] = [];
      const ttl = 2000;
      await serve(controller({ ttl }, (id) => paid.push(id)));
      await write([{ value: 'o1' }]);
      await untilCommitted(`${topic}-server`, topic, 1);
      const { store } = connected();
      await until('it is forgotten', async () => {
        const claim = await store.claim(`${topic}:o1`, 60_000);
        if (claim.state !== 'claimed') return false;
        await store.release(`${topic}:o1`, claim);
        return true;
      });
      await write([{ value: 'o1' }]);
      await untilCommitted(`${topic}-server`, topic, 2);
      expect(paid).toEqual(['o1', 'o1']);
    });

    test('a store that is away at the start is waited for, and no delivery counts meanwhile', async () => {
      await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
      await server.kill();
      const attempts: number[] = [];
      const payments = controller({}, (_, attempt) => {
        attempts.push(attempt);
        if (attempts.length === 1) throw new Error('its first delivery fails');
      });
      await serve(payments, { deadLetter: { maxAttempts: 2, backoff: QUICK } });
      await write([{ value: 'o1' }]);
      const waits = `Message 0 of ${topic} [0] waits for the store of @Idempotent: The store of @Idempotent has failed for`;
      await until('it is told of', () => logs.matching('warn', waits).length > 0);
      expect(attempts).toEqual([]);
      await server.start();
      await untilCommitted(`${topic}-server`, topic, 1);
      expect(attempts).toEqual([1, 2]);
    });

    test('a request that comes again has the reply of the first, byte for byte', async () => {
      const reply = `${topic}.reply`;
      await createTopics({ [topic]: 1, [reply]: 1 });
      const bytes = Buffer.from([0, 255, 128, 10]);
      const answers: Record<string, unknown> = {
        buffer: bytes,
        message: { key: bytes, value: bytes, headers: { id: bytes, text: 'a' } },
        nested: { deep: [{ bytes }, 'a'], at: new Date(1e12) },
        date: new Date(1e12),
        message_with_date: { key: 'k', value: new Date(1e12) },
        bytes: new Uint8Array([1, 255]),
        plain: { total: 7, text: 'a' },
        text: 'a',
        number: 7,
      };
      const { store } = connected();
      const asked: string[] = [];
      @Controller()
      class Answers {
        @MessagePattern(topic)
        @Idempotent({ key: (id: string) => `${topic}:${id}`, store })
        answer(@Payload() id: string): unknown {
          asked.push(id);
          return answers[id];
        }
      }
      await serve(Answers);
      const tap = await Tap.on([reply]);
      open.push(tap);
      const ids = Object.keys(answers);
      const headers = { [KafkaHeaders.REPLY_TOPIC]: reply, [KafkaHeaders.REPLY_PARTITION]: '0' };
      const messages = [...ids, ...ids].map((value) => ({
        value,
        headers: { ...headers, [KafkaHeaders.CORRELATION_ID]: value },
      }));
      await (await rawProducer()).send({ topic, messages });
      const records = await tap.read(reply, messages.length);
      const replies = records.map(({ key, value, headers: sent }) => ({ key, value, headers: sent }));
      expect(replies.slice(ids.length)).toEqual(replies.slice(0, ids.length));
      expect(replies[ids.indexOf('message')]).toMatchObject({
        key: bytes.toString('latin1'),
        value: bytes.toString('latin1'),
      });
      expect(asked).toEqual(ids);
    });

    test('a key that the store refuses is a failed delivery, and goes to the dead letters', async () => {
      await createTopics({ [topic]: 1, [`${topic}.DLT`]: 1 });
      const paid: string[] = [];
      await serve(
        controller({}, (id) => paid.push(id)),
        { deadLetter: { maxAttempts: 2, backoff: QUICK } },
      );
      await refuse(kind, server.path, `${topic}:bad`);
      await write([{ value: 'bad' }, { value: 'o1' }]);
      await untilCommitted(`${topic}-server`, topic, 2);
      expect(paid).toEqual(['o1']);
      const letter = `Message 0 of ${topic} [0] is now in ${topic}.DLT: it failed after 2 deliveries with KafkaIdempotencyException: The store of @Idempotent has refused ${topic}:bad: `;
      expect(logs.matching('warn', letter)).toHaveLength(1);
    });

    test('a key that a store cannot hold as it is, is one as any other', async () => {
      await createTopics({ [topic]: 1 });
      const paid: string[] = [];
      await serve(controller({}, (id) => paid.push(id)));
      const odd = ['nul\0', randomBytes(5000).toString('hex')];
      await write([...odd, ...odd].map((value) => ({ value })));
      await untilCommitted(`${topic}-server`, topic, 4);
      expect(paid).toEqual(odd);
    });

    test('a store that goes away behind a handler is told when it is back, and the handler does not run again', async () => {
      await createTopics({ [topic]: 1 });
      const [gate, paid] = [new Gate(), [] as string[]];
      const payments = controller({ lease: 1000 }, async (id) => {
        paid.push(id);
        if (id === 'o1') await gate.pass();
      });
      await serve(payments);
      await write([{ value: 'o1' }]);
      await until('it is being paid', () => paid.length === 1);
      await server.kill();
      gate.open();
      const failed = `The store of @Idempotent has failed for ${topic}:o1`;
      await until('it fails', () => logs.matching('error', failed).length > 0);
      expect(await committed(`${topic}-server`, topic)).not.toEqual({ 0: 1 });
      await server.start();
      await write([{ value: 'o1' }, { value: 'o2' }]);
      await untilCommitted(`${topic}-server`, topic, 3);
      expect(paid).toEqual(['o1', 'o2']);
      expect((await connected().store.claim(`${topic}:o1`, 1000)).state).toBe('done');
    });
  });
});
