import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, Kafka, logLevel } from 'nestjs-kafka-native';
import { concat, firstValueFrom, lastValueFrom, of, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { Rig, SOON } from '../delivery/rig';
import { optionsFor } from '../harness/apps';
import { QUICK } from '../harness/dead-letters';
import { BROKERS, createTopics, kafka as stock, rawProducer, unique } from '../harness/broker';
import { Tap } from '../harness/tap';
import { Gate, until } from '../harness/wait';
import { later, notices, Recorded } from './recorded';

const rig = new Rig('channels');
const WHOLE = ['start', 'end', 'asyncStart', 'asyncEnd'];
const FAILED = ['start', 'end', 'error', 'asyncStart', 'asyncEnd'];

const failing = (): void => {
  throw new Error('of the subscriber');
};

const inject = ({ message, messages = [message] }: any): void => {
  for (const one of messages) one.headers.trace = 't';
};

const ours = (): Kafka => new Kafka({ brokers: BROKERS, clientId: rig.topic, logLevel: logLevel.NOTHING });

async function producer(): Promise<ReturnType<Kafka['producer']>> {
  const made = ours().producer();
  await made.connect();
  rig.keep({ close: () => made.disconnect() });
  return made;
}

async function client(patterns: string[]): Promise<ClientKafka> {
  const made = new ClientKafka(optionsFor(rig.topic) as never);
  for (const pattern of patterns) made.subscribeToResponseOf(pattern);
  await made.connect();
  return rig.keep(made as ClientKafka & { close(): Promise<void> });
}

async function tap(topic: string): Promise<Tap> {
  return rig.keep(await Tap.on([topic]));
}

describe('O1 send', () => {
  test('producer.send: what it tells, and headers that a subscriber writes', async () => {
    await createTopics({ [rig.topic]: 1 });
    const sends = new Recorded('send', {
      start: ({ messages }) => {
        for (const message of messages) message.headers.trace = 'injected';
      },
    });
    const message = { key: 'k', value: 'v', headers: { own: '1' }, partition: 0 };
    const metadata = await (
      await producer()
    ).send({ topic: rig.topic, messages: [message, { value: null }] });
    const [context] = sends.at('start');
    expect(sends.of(context)).toEqual(WHOLE);
    expect(context).toMatchObject({ topic: rig.topic, clientId: rig.topic, result: metadata });
    expect(context.bootstrapServers).toBe(BROKERS.join(','));
    expect(context.clusterId).toMatch(/\S/);
    expect(context.messages).toEqual([
      { key: 'k', value: 'v', headers: { own: '1', trace: 'injected' }, partition: 0 },
      { key: undefined, value: null, headers: { trace: 'injected' } },
    ]);
    // The application's object is its own.
    expect(message.headers).toEqual({ own: '1' });
    const records = await (await tap(rig.topic)).read(rig.topic, 2);
    expect(records.map(({ headers }) => headers)).toEqual([
      [
        ['own', '1'],
        ['trace', 'injected'],
      ],
      [['trace', 'injected']],
    ]);
  });

  test('sendBatch, emit, emitBatch and transactions: one for each topic', async () => {
    const other = `${rig.topic}.other`;
    await createTopics({ [rig.topic]: 1, [other]: 1 });
    const sends = new Recorded('send');
    const messages = [{ value: 'v' }];
    await (
      await producer()
    ).sendBatch({
      topicMessages: [
        { topic: rig.topic, messages },
        { topic: other, messages },
      ],
    });
    const nest = await client([]);
    await lastValueFrom(nest.emit(rig.topic, 'emitted'));
    await lastValueFrom(nest.emitBatch(rig.topic, { messages: ['a', 'b'] }));
    const transactional = ours().producer({ transactionalId: rig.topic });
    await transactional.connect();
    rig.keep({ close: () => transactional.disconnect() });
    const transaction = await transactional.transaction();
    await transaction.send({ topic: rig.topic, messages });
    await transaction.commit();
    const told = sends
      .at('asyncEnd')
      .map((context) => [context.topic, context.messages.length, context.transactional]);
    expect(told.toSorted()).toEqual(
      [
        [other, 1, undefined],
        [rig.topic, 1, undefined],
        [rig.topic, 1, undefined],
        [rig.topic, 2, undefined],
        [rig.topic, 1, true],
      ].toSorted(),
    );
    for (const context of sends.at('start')) expect(sends.of(context)).toEqual(WHOLE);
  });

  test('a send that fails tells its error, and the application gets it', async () => {
    const sends = new Recorded('send');
    const sender = ours().producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
    await sender.connect();
    rig.keep({ close: () => sender.disconnect() });
    const sent = sender.send({ topic: rig.topic, messages: [{ value: 'v' }] });
    const error = await sent.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const [context] = sends.at('start');
    expect(sends.of(context)).toEqual(FAILED);
    expect(context.error).toBe(error);
    expect(error).toMatchObject({ name: 'KafkaJSNumberOfRetriesExceeded' });
  });

  test('what a subscriber breaks fails its own message, by name', async () => {
    await createTopics({ [rig.topic]: 1 });
    const sends = new Recorded('send', {
      start: ({ messages }) => {
        messages[0].headers.bad = 5;
      },
    });
    const sender = await producer();
    await expect(sender.send({ topic: rig.topic, messages: [{ value: 'v' }] })).rejects.toThrow(
      /header "bad" of a message to .* must be a string or a Buffer/,
    );
    expect(sends.of(sends.at('start')[0])).toEqual(FAILED);
  });
});

describe('O1 process', () => {
  test('what it tells of an event, a retry and a failure', async () => {
    await createTopics({ [rig.topic]: 1 });
    const processed = new Recorded('process');
    const failure = new Error('once');
    await rig.serve(
      (_, context) => {
        if ((context as any).getDeliveryAttempt() === 1) throw failure;
        return 'answer';
      },
      { consumer: { retry: SOON } },
    );
    await (
      await rawProducer()
    ).send({ topic: rig.topic, messages: [{ key: 'k', value: 'v', headers: { trace: 'abc' } }] });
    await until('it is done', () => processed.at('asyncEnd').length === 2);
    const [first, second] = processed.at('start');
    expect(processed.of(first)).toEqual(FAILED);
    expect(processed.of(second)).toEqual(WHOLE);
    expect(first).toMatchObject({ attempt: 1, isReply: false });
    expect(first.error).toBeDefined();
    expect(second).toMatchObject({ attempt: 2, result: 'answer' });
    for (const context of [first, second]) {
      const { topic, partition, offset, groupId, clientId, clusterId, message } = context;
      expect([topic, partition, offset]).toEqual([rig.topic, 0, '0']);
      expect([groupId, clientId]).toEqual([`${rig.topic}-server`, `${rig.topic}-server`]);
      expect(clusterId).toMatch(/\S/);
      expect(message).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('v'), offset: '0' });
      expect(message.headers.trace).toEqual(Buffer.from('abc'));
    }
  });

  test('eachMessage and eachBatch', async () => {
    await createTopics({ [rig.topic]: 1 });
    await (await rawProducer()).send({ topic: rig.topic, messages: [{ value: '0' }, { value: '1' }] });
    const processed = new Recorded('process');
    const batches = new Recorded('batch');
    for (const config of [{ eachMessage: async () => undefined }, { eachBatch: async () => undefined }]) {
      const consumer = ours().consumer({ groupId: unique('channels') });
      await consumer.connect();
      rig.keep({ close: () => consumer.disconnect() });
      await consumer.subscribe({ topics: [rig.topic], fromBeginning: true });
      await consumer.run(config);
    }
    await until(
      'both are done',
      () => processed.at('asyncEnd').length === 2 && batches.at('asyncEnd').length > 0,
    );
    expect(processed.at('start').map(({ offset }) => offset)).toEqual(['0', '1']);
    const [batch] = batches.at('start');
    expect(batches.of(batch)).toEqual(WHOLE);
    expect(batch).toMatchObject({ topic: rig.topic, partition: 0, offset: '0', size: 2 });
    expect(batch.messages.map(({ value }: { value: Buffer }) => String(value))).toEqual(['0', '1']);
  });

  test('a store that is bound is there in guards, pipes, interceptors and handlers, and crosses no messages', async () => {
    await createTopics({ [rig.topic]: 2 });
    const store = new AsyncLocalStorage<string>();
    const channels = diagnostics.tracingChannel('nestjs-kafka-native:process');
    channels.start.bindStore(store as never, ((context: any) => String(context.message.value)) as never);
    later(() => void channels.start.unbindStore(store as never));
    const seen: string[] = [];
    const see = (where: string, value: unknown): void => {
      seen.push(`${where} ${String(value)} ${String(store.getStore())}`);
    };
    @Injectable()
    class Guard implements CanActivate {
      canActivate(execution: ExecutionContext): boolean {
        see('guard', execution.switchToRpc().getData());
        return true;
      }
    }
    @Injectable()
    class Interceptor implements NestInterceptor {
      intercept(execution: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
        see('interceptor', execution.switchToRpc().getData());
        return next.handle();
      }
    }
    @Injectable()
    class Pipe implements PipeTransform {
      transform(value: unknown): unknown {
        see('pipe', value);
        return value;
      }
    }
    @Controller()
    class Events {
      @UseGuards(Guard)
      @UseInterceptors(Interceptor)
      @EventPattern<string>(rig.topic)
      async event(@Payload(Pipe) data: unknown): Promise<void> {
        see('handler', data);
        await new Promise(setImmediate);
        see('later', data);
      }
    }
    await rig.serve(Events);
    const values = Array.from({ length: 20 }, (_, i) => `${i % 2}:${i}`);
    await rig.write(...values);
    await until('all are handled', () => seen.length === values.length * 5);
    const wanted = values.flatMap((value) =>
      ['guard', 'interceptor', 'pipe', 'handler', 'later'].map((where) => `${where} ${value} ${value}`),
    );
    expect(seen.toSorted()).toEqual(wanted.toSorted());
  });

  test('nobody is told any more once nobody subscribes', async () => {
    await createTopics({ [rig.topic]: 1 });
    let handled = 0;
    await rig.serve(() => {
      handled++;
    });
    const channels = diagnostics.tracingChannel('nestjs-kafka-native:process');
    let told = 0;
    const handlers = { start: () => void told++ } as never;
    channels.subscribe(handlers);
    await rig.write('0:a');
    await until('one is handled', () => handled === 1);
    channels.unsubscribe(handlers);
    await rig.write('0:b');
    await until('two are handled', () => handled === 2);
    expect(told).toBe(1);
  });

  test('a subscriber that throws disturbs nothing here: Node.js makes an uncaught exception of it', async () => {
    await createTopics({ [rig.topic]: 1 });
    const uncaught: unknown[] = [];
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => uncaught.push(error));
    later(() => {
      process.removeAllListeners('uncaughtException');
      for (const listener of before) process.on('uncaughtException', listener);
    });
    const on = { start: failing, end: failing, asyncStart: failing, asyncEnd: failing };
    const recorded = ['process', 'send'].map((name) => new Recorded(name, on));
    const handled: string[] = [];
    await rig.serve((data) => void handled.push(data));
    await (await producer()).send({ topic: rig.topic, messages: [{ value: 'a' }, { value: 'b' }] });
    await until('all are handled', () => handled.length === 2);
    expect(handled).toEqual(['a', 'b']);
    await until('all were thrown', () => uncaught.length === 12);
    expect(recorded.map(({ stages }) => stages.length)).toEqual([8, 4]);
  });
});

describe('O1 requests', () => {
  test('the request, its reply on both sides, and the stores of each', async () => {
    const reply = `${rig.topic}.reply`;
    await createTopics({ [rig.topic]: 1, [reply]: 1 });
    const requests = new Recorded('request', { start: inject });
    const sends = new Recorded('send', { start: inject });
    const processed = new Recorded('process');
    @Controller()
    class Prices {
      @MessagePattern(rig.topic)
      price(@Payload() data: number) {
        return Number(data) === 0 ? of(1, 2, 3) : { price: data };
      }
    }
    await rig.serve(Prices);
    const asking = await client([rig.topic]);
    expect(await firstValueFrom(asking.send(rig.topic, 5))).toEqual({ price: '5' });
    const [request] = requests.at('start');
    expect(requests.of(request)).toEqual(WHOLE);
    expect(request).toMatchObject({
      topic: rig.topic,
      replyTopic: reply,
      replyPartition: 0,
      groupId: `${rig.topic}-client`,
      clientId: `${rig.topic}-client`,
      isReplied: true,
      result: { price: '5' },
    });
    const [served, answered] = processed.at('start');
    expect(String(served.message.headers.kafka_correlationId)).toBe(request.correlationId);
    expect(String(served.message.headers.trace)).toBe('t');
    expect(served).toMatchObject({ topic: rig.topic, isReply: false, result: { price: '5' } });
    const [sent] = sends.at('start');
    expect(sends.of(sent)).toEqual(WHOLE);
    expect(sent).toMatchObject({
      topic: reply,
      purpose: 'reply',
      correlationId: request.correlationId,
      messages: [{ partition: 0 }],
    });
    expect(answered).toMatchObject({
      topic: reply,
      partition: 0,
      isReply: true,
      groupId: `${rig.topic}-client`,
    });
    expect(String(answered.message.headers.trace)).toBe('t');
    expect(processed.of(answered)).toEqual(WHOLE);
    expect(await lastValueFrom(asking.send(rig.topic, 0).pipe(toArray()))).toEqual(['1', '2', '3']);
    expect(sends.at('start').filter(({ purpose }) => purpose === 'reply')).toHaveLength(4);
    expect(processed.at('start').filter(({ isReply }) => isReply)).toHaveLength(4);
  });

  test.each(['after', 'while'])('a close %s a reply is handled: each reply is told of once', async (when) => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    const processed = new Recorded('process');
    @Controller()
    class Prices {
      @MessagePattern(rig.topic)
      price() {
        return concat(of(1), new Gate().pass());
      }
    }
    await rig.serve(Prices);
    const asking = await client([rig.topic]);
    const told: unknown[] = [];
    asking.send(rig.topic, 0).subscribe({
      next: (price) => {
        told.push(price);
        void (when === 'while' ? asking.close() : setImmediate(() => asking.close()));
      },
      error: (error: unknown) => told.push(error),
    });
    await until('it is closed', () => told.length === 2);
    expect(told).toEqual(['1', new Error('Connection closed')]);
    expect(processed.stages.filter(([, { isReply }]) => isReply).map(([stage]) => stage)).toEqual(WHOLE);
  });

  test('a handler that fails, and a request that nobody answers', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    const requests = new Recorded('request');
    const processed = new Recorded('process');
    const other = unique('nobody');
    await createTopics({ [other]: 1, [`${other}.reply`]: 1 });
    @Controller()
    class Prices {
      @MessagePattern(rig.topic)
      price(): never {
        throw new Error('no price');
      }
    }
    await rig.serve(Prices);
    const options = { ...optionsFor(rig.topic), replyTimeout: 500 };
    const asking = rig.keep(new ClientKafka(options as never) as ClientKafka & { close(): Promise<void> });
    for (const topic of [rig.topic, other]) asking.subscribeToResponseOf(topic);
    await asking.connect();
    await expect(firstValueFrom(asking.send(rig.topic, 1))).rejects.toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    await expect(firstValueFrom(asking.send(other, 1))).rejects.toThrow(/within 500 ms/);
    const unsubscribed = asking.send(other, 1).subscribe();
    await until('it is sent', () => requests.at('end').length === 3);
    unsubscribed.unsubscribe();
    const [refused, unanswered, forgotten] = requests.at('start');
    expect(requests.of(refused)).toEqual(FAILED);
    expect(refused).toMatchObject({ isReplied: true, error: { status: 'error' } });
    expect(requests.of(unanswered)).toEqual(FAILED);
    expect(unanswered).toMatchObject({ isReplied: false, error: { name: 'KafkaReplyTimeoutError' } });
    expect(requests.of(forgotten)).toEqual(WHOLE);
    expect([forgotten.isReplied, forgotten.error, forgotten.result]).toEqual([false, undefined, undefined]);
    const [served] = processed.at('start');
    expect(served.handlerError).toEqual(new Error('no price'));
    expect(served.error).toBeUndefined();
  });
});

describe('O1 commit, rebalance, dead-letter', () => {
  test('commits: the consumer’s own and the application’s', async () => {
    await createTopics({ [rig.topic]: 1 });
    const commits = new Recorded('commit');
    await rig.serve(() => undefined);
    await rig.write('0:a');
    await until('it is committed', () => commits.at('asyncEnd').length > 0);
    const [own] = commits.at('start');
    expect(commits.of(own)).toEqual(WHOLE);
    expect(own).toMatchObject({
      groupId: rig.group,
      isAutomatic: true,
      topics: [{ topic: rig.topic, partitions: [{ partition: 0, offset: '1' }] }],
    });
    const consumer = ours().consumer({ groupId: unique('channels') });
    await consumer.connect();
    rig.keep({ close: () => consumer.disconnect() });
    await consumer.subscribe({ topics: [rig.topic], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachMessage: async () => undefined });
    await consumer.commitOffsets([{ topic: rig.topic, partition: 0, offset: '1' }]);
    const asked = commits.at('start').filter(({ isAutomatic }) => !isAutomatic);
    expect(asked).toHaveLength(1);
    expect(commits.of(asked[0])).toEqual(WHOLE);
  });

  test('rebalances', async () => {
    await createTopics({ [rig.topic]: 2 });
    const seen = notices('rebalance');
    const running = await rig.serve(() => undefined);
    const both = [0, 1].map((partition) => ({ topic: rig.topic, partition }));
    expect(seen).toEqual([
      {
        type: 'assigned',
        groupId: rig.group,
        clientId: `${rig.topic}-server`,
        partitions: both,
        duration: expect.any(Number),
      },
    ]);
    const other = stock.consumer({ groupId: rig.group });
    await other.connect();
    rig.keep({ close: () => other.disconnect() });
    await other.subscribe({ topics: [rig.topic] });
    await other.run({ eachMessage: async () => undefined });
    await until('it is assigned anew', () => seen.filter(({ type }) => type === 'assigned').length >= 2);
    const types = seen.map(({ type }) => type);
    expect(types).toContain('rebalancing');
    expect(seen.find(({ type }) => type === 'revoking').partitions).toEqual(both);
    expect(seen.find(({ type }) => type === 'revoked').partitions).toEqual(both);
    await running.close();
  });

  test('dead letters: a notice, a send in the context of the failed handler, and headers byte for byte', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const store = new AsyncLocalStorage<string>();
    const processing = diagnostics.tracingChannel('nestjs-kafka-native:process');
    processing.start.bindStore(store as never, (() => 'of the handler') as never);
    later(() => void processing.start.unbindStore(store as never));
    const found: unknown[] = [];
    const sends = new Recorded('send', {
      start: ({ messages }) => {
        found.push(store.getStore());
        messages[0].headers.traceparent = 'new';
      },
    });
    const seen = notices('dead-letter');
    await rig.serve(
      () => {
        throw new Error('never');
      },
      { deadLetter: { maxAttempts: 2, backoff: QUICK } },
    );
    const headers = { traceparent: 'old', list: ['a', 'b'], z: 'z' };
    await (await rawProducer()).send({ topic: rig.topic, messages: [{ key: 'k', value: 'v', headers }] });
    await until('it is told of', () => seen.length === 1);
    expect(seen[0]).toMatchObject({
      topic: rig.topic,
      partition: 0,
      offset: '0',
      groupId: rig.group,
      deadLetterTopic: `${rig.topic}.DLT`,
      attempts: 2,
      error: new Error('never'),
      message: { key: Buffer.from('k') },
    });
    expect(sends.at('start')).toHaveLength(1);
    expect(sends.at('start')[0]).toMatchObject({ purpose: 'dead-letter', topic: `${rig.topic}.DLT` });
    expect(found).toEqual(['of the handler']);
    const [record] = await (await tap(`${rig.topic}.DLT`)).read(`${rig.topic}.DLT`, 1);
    const kept = record?.headers.filter(([name]) => !name.startsWith('kafka_'));
    expect(kept).toEqual([
      ['list', 'a'],
      ['list', 'b'],
      ['traceparent', 'new'],
      ['z', 'z'],
    ]);
  });
});
