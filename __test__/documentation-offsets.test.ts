import { type ArgumentsHost, Catch, Controller, type Type, UseFilters } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import {
  Ctx,
  EventPattern,
  KafkaContext,
  KafkaRetriableException,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { ClientKafka, ServerKafka } from 'nestjs-kafka-native';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen, optionsFor } from './harness/apps';
import { closeBroker, committed, createTopics, rawProducer, unique, untilCommitted } from './harness/broker';
import { outcome } from './harness/outcome';
import type { TransportOptions } from './harness/transports';
import { pause, until } from './harness/wait';

// What NestJS's documentation says of offsets, retriable exceptions and its custom exception filter.

const open: { close(): Promise<unknown> }[] = [];
let topic = '';

beforeEach(async () => {
  topic = unique('user.created');
  await createTopics({ [topic]: 1, [`${topic}.reply`]: 1 });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

afterAll(closeBroker);

/** Starts a server of one controller; close it yourself or leave it to afterEach. */
async function serve(controller: Type, extra: TransportOptions = {}): Promise<{ close(): Promise<void> }> {
  const server = new ServerKafka({ subscribe: { fromBeginning: true }, ...optionsFor(topic, extra) });
  const running = await listen(server, [controller]);
  open.push(running);
  return running;
}

async function emit(...values: string[]): Promise<void> {
  await (await rawProducer()).send({ topic, messages: values.map((value) => ({ value })) });
}

type Handle = (data: string, context: KafkaContext) => Promise<void> | void;

/** A controller whose one event handler is `handle`. */
function handling(handle: Handle): Type {
  @Controller()
  class UserEvents {
    @EventPattern<string>(topic)
    async handleUserCreated(@Payload() data: string, @Ctx() context: KafkaContext): Promise<void> {
      await handle(data, context);
    }
  }
  return UserEvents;
}

/** Commits a message through the consumer of its context, `ahead` of its own offset. */
async function commit(context: KafkaContext, ahead: number): Promise<void> {
  const { offset } = context.getMessage();
  const place = { topic: context.getTopic(), partition: context.getPartition() };
  await context.getConsumer().commitOffsets([{ ...place, offset: String(Number(offset) + ahead) }]);
}

describe('E1 autoCommit: false', () => {
  test('nothing is committed, and a restart delivers again', async () => {
    const first: string[] = [];
    const second: string[] = [];
    const server = await serve(
      handling((data) => void first.push(data)),
      { run: { autoCommit: false } },
    );
    await emit('a', 'b');
    await until('both are handled', () => first.length === 2);
    expect(await committed(`${topic}-server`, topic)).toEqual({ 0: -1 });
    await server.close();
    expect(await committed(`${topic}-server`, topic)).toEqual({ 0: -1 });

    await serve(
      handling((data) => void second.push(data)),
      { run: { autoCommit: false } },
    );
    await until('both are handled again', () => second.length === 2);
    expect([first, second]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });
});

describe('E5 manual commit', () => {
  test('of the next offset: a restart goes on behind it', async () => {
    const first: string[] = [];
    const second: string[] = [];
    const server = await serve(
      handling(async (data, context) => {
        first.push(data);
        if (data === 'b') await commit(context, 1);
      }),
      { run: { autoCommit: false } },
    );
    await emit('a', 'b', 'c');
    await until('all are handled', () => first.length === 3);
    expect(await committed(`${topic}-server`, topic)).toEqual({ 0: 2 });
    await server.close();

    await serve(
      handling((data) => void second.push(data)),
      { run: { autoCommit: false } },
    );
    await until('the uncommitted one is handled again', () => second.length > 0);
    await emit('d');
    await until('the new one is handled', () => second.includes('d'));
    expect(first).toEqual(['a', 'b', 'c']);
    expect(second).toEqual(['c', 'd']);
  });

  test("of the message's own offset, as the page shows it: it comes again after a restart", async () => {
    const seen: string[] = [];
    const handler = handling(async (data, context) => {
      await commit(context, 0);
      seen.push(data);
    });
    const server = await serve(handler, { run: { autoCommit: false } });
    await emit('a', 'b');
    await until('both are handled', () => seen.length === 2);
    await server.close();
    expect(await committed(`${topic}-server`, topic)).toEqual({ 0: 1 });
    await serve(handler, { run: { autoCommit: false } });
    await until('the last one is handled again', () => seen.length === 3);
    expect(seen).toEqual(['a', 'b', 'b']);
  });

  test('beside automatic commits: nothing is lost and nothing repeated', async () => {
    const seen: string[] = [];
    const values = Array.from({ length: 20 }, (_, index) => String(index));
    const server = await serve(
      handling(async (data, context) => {
        seen.push(data);
        await commit(context, 1);
      }),
    );
    await emit(...values);
    await until('all are handled', () => seen.length >= values.length);
    await untilCommitted(`${topic}-server`, topic, values.length);
    await server.close();
    expect(seen).toEqual(values);
    expect(await committed(`${topic}-server`, topic)).toEqual({ 0: values.length });
  });
});

describe('E3 retriable exceptions', () => {
  test('an error out of an event handler delivers the event again, then the next one', async () => {
    const seen: string[] = [];
    await serve(
      handling((data) => {
        seen.push(data);
        if (data === 'fails twice' && seen.length <= 3) throw new Error('not yet');
      }),
    );
    await emit('fine', 'fails twice', 'after');
    await until('the last one is handled', () => seen.includes('after'));
    expect(seen).toEqual(['fine', 'fails twice', 'fails twice', 'fails twice', 'after']);
    await untilCommitted(`${topic}-server`, topic, 3);
  });

  test('while the event waits its offset is not committed, and earlier ones are', async () => {
    const seen: string[] = [];
    await serve(
      handling((data) => {
        seen.push(data);
        if (data === 'fails' && seen.length <= 3) throw new Error('not yet');
      }),
    );
    await emit('fine', 'fails');
    await until('it has failed twice', () => seen.length === 3);
    expect(await committed(`${topic}-server`, topic)).not.toEqual({ 0: 2 });
    await untilCommitted(`${topic}-server`, topic, 2);
    expect(seen).toEqual(['fine', 'fails', 'fails', 'fails']);
  });

  test('KafkaRetriableException out of a message handler delivers the request again', async () => {
    const seen: string[] = [];
    @Controller()
    class Heroes {
      @MessagePattern(topic)
      killDragon(@Payload() data: string): string {
        seen.push(data);
        if (seen.length < 3) throw new KafkaRetriableException('the dragon sleeps');
        return 'killed';
      }
    }
    await serve(Heroes);
    const client = new ClientKafka(optionsFor(topic));
    open.push(client);
    client.subscribeToResponseOf(topic);
    expect(await outcome(client.send(topic, 'try'))).toEqual({ values: ['killed'], ended: 'completed' });
    expect(seen).toEqual(['try', 'try', 'try']);
  });
});

/** A filter in the manner of the page: counts by the retryCount header, skips after `maxRetries`. */
@Catch()
class MaxRetryFilter extends BaseExceptionFilter {
  readonly counts: number[] = [];

  constructor(
    private readonly maxRetries: number,
    private readonly skipped: (message: unknown) => void,
  ) {
    super();
  }

  override async catch(exception: unknown, host: ArgumentsHost): Promise<void> {
    const context = host.switchToRpc().getContext<KafkaContext>();
    const { headers } = context.getMessage();
    const count = Number(headers?.['retryCount'] ?? headers?.['retry-count'] ?? 0);
    this.counts.push(count);
    if (count < this.maxRetries) {
      // oxlint-disable-next-line promise/valid-params -- a filter's method, not a promise's
      super.catch(exception, host);
      return;
    }
    this.skipped(context.getMessage().value);
    await commit(context, 1);
  }
}

describe('E4 a filter that gives up after some retries', () => {
  test('calls the skip handler, commits, and the partition goes on', async () => {
    const skipped: unknown[] = [];
    const seen: unknown[] = [];
    const attempts: unknown[] = [];
    const filter = new MaxRetryFilter(2, (message) => skipped.push(message));
    @Controller()
    @UseFilters(filter)
    class MyEventHandler {
      @EventPattern<string>(topic)
      handleEvent(@Payload() data: string, @Ctx() context: KafkaContext): void {
        attempts.push(context.getMessage().headers?.['kafka_deliveryAttempt']);
        seen.push(data);
        if (data === 'poison') throw new Error('cannot be handled');
      }
    }
    await serve(MyEventHandler);
    await emit('fine', 'poison', 'after');
    await until('the partition goes on', () => seen.includes('after'));
    await untilCommitted(`${topic}-server`, topic, 3);
    expect(seen).toEqual(['fine', 'poison', 'poison', 'poison', 'after']);
    expect(filter.counts).toEqual([0, 1, 2]);
    expect(attempts).toEqual([undefined, undefined, '2', '3', undefined]);
    expect(skipped).toEqual(['poison']);
  });
});

describe('C2 heartbeat', () => {
  test('is safe at any rate while a slow handler works', async () => {
    let beats = 0;
    const seen: string[] = [];
    await serve(
      handling(async (data, context) => {
        const heartbeat = context.getHeartbeat();
        await Promise.all(Array.from({ length: 200 }, () => heartbeat()));
        await pause(100);
        await heartbeat();
        beats += 201;
        seen.push(data);
      }),
    );
    await emit('slow', 'slower');
    await until('both are handled', () => seen.length === 2);
    expect([seen, beats]).toEqual([['slow', 'slower'], 402]);
  });
});
