import {
  BadRequestException,
  Controller,
  ParseIntPipe,
  UseGuards,
  UsePipes,
  type CanActivate,
  type PipeTransform,
} from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  BatchItemPipe,
  BatchPattern,
  kafkaHandler,
  KafkaBatchContext,
  KafkaBatchError,
  ServerKafka,
  type BatchOptions,
  type KafkaHandlerOptions,
} from 'nestjs-kafka-native';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { describe, expect, test } from 'vitest';
import { consumerOf, numbered, Rig, SOON } from '../delivery/rig';
import { listen } from '../harness/apps';
import { createTopics, rawProducer, untilCommitted } from '../harness/broker';
import { untilInHand } from '../harness/in-hand';
import { OtherThread } from '../harness/other-thread';
import { Tap } from '../harness/tap';
import { Gate, pause, until } from '../harness/wait';

const rig = new Rig('batches');

type Handle = (values: any[], context: KafkaBatchContext) => unknown;

function batches(
  handle: Handle,
  batch: BatchOptions = {},
  options: Omit<KafkaHandlerOptions, 'batch'> = {},
): new () => object {
  @Controller()
  class Batches {
    @BatchPattern(rig.topic, batch, options)
    handle(@Payload() values: any[], @Ctx() context: KafkaBatchContext): unknown {
      return handle(values, context);
    }
  }
  return Batches;
}

const offsets = (context: KafkaBatchContext): string =>
  context
    .getMessages()
    .map(({ offset }) => offset)
    .join(',');

/** Holds the first batch up, so that all that is written meanwhile is there for the next ones. */
function held(handle: Handle): { handle: Handle; entered: Gate; gate: Gate } {
  const entered = new Gate();
  const gate = new Gate();
  let isFirst = true;
  return {
    entered,
    gate,
    handle: async (values, context) => {
      if (!isFirst) return handle(values, context);
      isFirst = false;
      entered.open();
      await gate.pass();
    },
  };
}

describe('a batch', () => {
  test('is of one partition, in its order, at most so long and so large', async () => {
    await createTopics({ [rig.topic]: 2 });
    const seen: [number, string[]][] = [];
    const { handle, entered, gate } = held((values, context) => {
      expect(context.getTopic()).toBe(rig.topic);
      expect(context.getMessages().map(({ value }) => value)).toEqual(values);
      seen.push([context.getPartition(), values]);
    });
    await rig.serve(batches(handle, { maxMessages: 3, maxBytes: 1000 }));
    await rig.write('0:first');
    // Written now, the others would be in its batch on a machine that is slow enough.
    await entered.pass();
    await rig.write(
      ...numbered(0, 7),
      ...numbered(1, 4),
      `0:${'x'.repeat(1100)}`,
      '0:y'.padEnd(500, 'y'),
      '0:z',
    );
    // Partition 1 is not held up.
    await untilInHand(rig.topic, 11);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 11, 0);
    await untilCommitted(rig.group, rig.topic, 4, 1);
    const of = (partition: number): number[] =>
      seen.filter(([from]) => from === partition).map(([, values]) => values.length);
    expect(of(0)).toEqual([3, 3, 1, 1, 2]);
    expect(of(1).reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(seen.flatMap(([from, values]) => (from === 0 ? values.slice(0, 3) : [])).slice(0, 7)).toEqual(
      numbered(0, 7),
    );
  });

  test('is all that has come while the one before kept the event loop busy', async () => {
    await createTopics({ [rig.topic]: 1 });
    const other = await OtherThread.start(rig.topic);
    try {
      const seen: string[][] = [];
      const handle = (values: string[]): void => {
        if (seen.push(values) === 1) other.sendWhileThisWaits(100);
      };
      await rig.serve(batches(handle));
      await rig.write('0');
      await untilCommitted(rig.group, rig.topic, 101);
      expect(seen.flat()).toEqual(Array.from({ length: 101 }, (_, i) => String(i)));
      // The last ones may still have been on their way when the handler ended.
      expect(seen.length).toBeLessThan(10);
    } finally {
      await other.end();
    }
  });

  test('waits to be fuller, if it is to', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: number[] = [];
    await rig.serve(batches((values) => void seen.push(values.length), { maxMessages: 10, maxWait: 5000 }));
    await rig.write('0:1', '0:2');
    await pause(300);
    expect(seen).toEqual([]);
    await rig.write('0:3');
    await until('the time is up', () => seen.length > 0);
    expect(seen).toEqual([3]);
    await rig.write(...numbered(0, 10));
    await until('it is full', () => seen.length > 1, 4000);
    expect(seen).toEqual([3, 10]);
    await untilCommitted(rig.group, rig.topic, 13);
  });

  test('goes through guards and pipes once, and through a pipe of its items for each', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const dead = rig.keep(await Tap.on([`${rig.topic}.DLT`]));
    let [guarded, piped] = [0, 0];
    class Guard implements CanActivate {
      canActivate(): boolean {
        guarded++;
        return true;
      }
    }
    class Whole implements PipeTransform {
      transform(values: unknown): unknown {
        if (Array.isArray(values)) piped++;
        return values;
      }
    }
    const seen: number[][] = [];
    @Controller()
    class Numbers {
      @BatchPattern(rig.topic, { maxWait: 300 })
      @UseGuards(Guard)
      @UsePipes(Whole)
      add(@Payload(new BatchItemPipe(new ParseIntPipe())) values: number[]): void {
        seen.push(values);
      }
    }
    await rig.serve(Numbers, { deadLetter: {} });
    const messages = ['1', '2', 'three', '4'].map((value) => ({ partition: 0, value }));
    await (await rawProducer()).send({ topic: rig.topic, messages });
    await untilCommitted(rig.group, rig.topic, 4);
    expect(seen).toEqual([[1, 2, 4]]);
    expect([guarded, piped]).toEqual([2, 2]);
    const [record] = await dead.read(`${rig.topic}.DLT`, 1);
    expect(record?.value).toBe('three');
    expect(Object.fromEntries(record?.headers ?? [])['kafka_dlt-exception-fqcn']).toBe('BadRequestException');
  });
});

describe('a failure', () => {
  test('of one message: what is before counts, it goes to the dead letters alone, the rest comes again', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const dead = rig.keep(await Tap.on([`${rig.topic}.DLT`]));
    const seen: string[] = [];
    const { handle, entered, gate } = held((values, context) => {
      seen.push(`${offsets(context)}/${context.getDeliveryAttempt()}`);
      const bad = values.indexOf('0:bad');
      if (bad >= 0) throw new KafkaBatchError(bad, new RangeError('bad it is'));
    });
    await rig.serve(
      batches(handle, {}, { deadLetter: { maxAttempts: 3, backoff: { initialRetryTime: 20 } } }),
    );
    await rig.write('0:first');
    await entered.pass();
    await rig.write('0:1', '0:2', '0:bad', '0:4', '0:5');
    await untilInHand(rig.topic, 6);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 6);
    expect(seen).toEqual(['1,2,3,4,5/1', '3,4,5/2', '3,4,5/3', '4,5/1']);
    const [record] = await dead.read(`${rig.topic}.DLT`, 1);
    const headers = Object.fromEntries(record?.headers ?? []);
    expect([
      record?.value,
      headers['kafka_dlt-exception-fqcn'],
      headers['kafka_dlt-exception-message'],
    ]).toEqual(['0:bad', 'RangeError', 'bad it is']);
  });

  test('that names no message brings all again, at last each by itself', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const dead = rig.keep(await Tap.on([`${rig.topic}.DLT`]));
    const seen: string[] = [];
    const { handle, entered, gate } = held((values, context) => {
      seen.push(offsets(context));
      if (values.includes('0:bad')) throw new Error('one of them');
    });
    await rig.serve(
      batches(handle, {}, { deadLetter: { maxAttempts: 2, backoff: { initialRetryTime: 20 } } }),
    );
    await rig.write('0:first');
    await entered.pass();
    await rig.write('0:1', '0:bad', '0:3');
    await untilInHand(rig.topic, 4);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 4);
    expect(seen).toEqual(['1,2,3', '1,2,3', '1', '2', '3']);
    expect((await dead.read(`${rig.topic}.DLT`, 1))[0]?.value).toBe('0:bad');
  });

  test('without dead letters comes again as long as retry says, then the consumer starts again', async () => {
    await createTopics({ [rig.topic]: 1 });
    let times = 0;
    const running = await rig.serve(
      batches(
        () => {
          if (++times < 4) throw new Error('not yet');
        },
        { maxWait: 100 },
        { retry: { ...SOON, retries: 1 } },
      ),
      { consumer: { retry: SOON } },
    );
    await rig.write('0:1', '0:2');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(times).toBe(4);
    expect(running.statuses).toContain('crashed');
  });

  test('of a validation goes to the dead letters at once', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const seen: string[] = [];
    const { handle, entered, gate } = held((values, context) => {
      seen.push(offsets(context));
      if (values.includes('0:bad')) throw new BadRequestException('no');
    });
    await rig.serve(batches(handle, {}, { deadLetter: {} }));
    await rig.write('0:first');
    await entered.pass();
    await rig.write('0:bad', '0:2');
    await untilInHand(rig.topic, 3);
    gate.open();
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual(['1,2', '1', '2']);
  });

  test('to decode is not hidden', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const dead = rig.keep(await Tap.on([`${rig.topic}.DLT`]));
    const seen: unknown[] = [];
    const deserializer = {
      deserialize(message: any, { channel }: { channel: string }) {
        if (String(message.value) === '0:junk') throw new Error('junk');
        return { pattern: channel, data: `<${message.value}>` };
      },
    };
    await rig.serve(
      batches(
        (values, context) => {
          const [failure] = context.getFailures();
          seen.push([values, failure?.index]);
          if (failure) throw new KafkaBatchError(failure.index, failure.error);
        },
        { maxWait: 300 },
        { deadLetter: { maxAttempts: 1 } },
      ),
      { deserializer },
    );
    await rig.write('0:1', '0:junk', '0:3');
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual([
      [['<0:1>', undefined, '<0:3>'], 1],
      [['<0:3>'], undefined],
    ]);
    expect((await dead.read(`${rig.topic}.DLT`, 1))[0]?.value).toBe('0:junk');
  });
});

describe('acknowledgements', () => {
  test('nack(index) brings one again after its delay, and the others count', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    const answers: boolean[] = [];
    await rig.serve(
      batches(
        (values, context) => {
          seen.push(`${values.join()}/${context.getDeliveryAttempt()}`);
          const late = values.indexOf('0:late');
          if (late >= 0 && context.getDeliveryAttempt() === 1) {
            answers.push(context.nack(late, { delay: 200 }), context.nack(late), context.ack(late));
          }
        },
        { maxWait: 200 },
      ),
    );
    await rig.write('0:1', '0:late', '0:3');
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual(['0:1,0:late,0:3/1', '0:late/2']);
    expect(answers).toEqual([true, false, false]);
  });

  test('ack(index) counts whatever becomes of the others', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    await rig.serve(
      batches(
        (values, context) => {
          seen.push(values.join());
          context.ack(0);
          if (values.length > 1) throw new Error('the others');
        },
        { maxWait: 200 },
      ),
      { consumer: { retry: SOON } },
    );
    await rig.write('0:1', '0:2', '0:3');
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual(['0:1,0:2,0:3', '0:2,0:3', '0:3']);
  });

  test('by hand, in any order, and later', async () => {
    await createTopics({ [rig.topic]: 1 });
    const contexts: KafkaBatchContext[] = [];
    const seen: string[] = [];
    await rig.serve(
      batches(
        (values, context) => {
          seen.push(values.join());
          contexts.push(context);
        },
        { maxWait: 200 },
        { ack: 'manual' },
      ),
      { run: { autoCommitInterval: 50 } },
    );
    await rig.write('0:1', '0:2', '0:3');
    const [first] = (await until('it is there', () => contexts.length > 0 && contexts)) as [
      KafkaBatchContext,
    ];
    expect([first.ack(2), first.ack(2), first.ack(0)]).toEqual([true, false, true]);
    expect(() => first.ack(3)).toThrow('The batch has 3 messages, and none at 3');
    await untilCommitted(rig.group, rig.topic, 1);
    expect(first.nack(1, { delay: 50 })).toBe(true);
    await until('it comes again', () => contexts.length === 2);
    expect(seen).toEqual(['0:1,0:2,0:3', '0:2']);
    expect(contexts[1]?.ack(0)).toBe(true);
    await untilCommitted(rig.group, rig.topic, 3);
  });

  test('nack(index) by hand, later, counts for the dead letters', async () => {
    const topic = `${rig.topic}.DLT`;
    await createTopics({ [rig.topic]: 1, [topic]: 1 });
    const dead = rig.keep(await Tap.on([topic]));
    const seen: string[] = [];
    await rig.serve(
      batches(
        (values, context) =>
          void setImmediate(() => {
            seen.push(`${values.join()}/${context.getDeliveryAttempt()}`);
            for (const [index, value] of values.entries()) {
              if (value === '0:never') context.nack(index, { delay: 10 });
              else context.ack(index);
            }
          }),
        { maxWait: 200 },
        { ack: 'manual', deadLetter: { maxAttempts: 3 } },
      ),
      { run: { autoCommitInterval: 50 } },
    );
    await rig.write('0:1', '0:never', '0:3');
    expect((await dead.read(topic, 1))[0]?.value).toBe('0:never');
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual(['0:1,0:never,0:3/1', '0:never/2', '0:never/3']);
  });

  test('a revoked batch knows, and its heartbeat tells', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    let context: KafkaBatchContext | undefined;
    const server = await rig.serve(
      batches(async (_, given) => {
        context = given;
        await given.heartbeat();
        await gate.pass();
      }),
      { consumer: { drainTimeout: 300 } },
    );
    await rig.write('0:1');
    await until('it runs', () => context);
    expect(context?.isRevoked()).toBe(false);
    const closed = server.close();
    await until('it is told', () => context?.isRevoked());
    await closed;
    expect(context?.ack(0)).toBe(false);
    gate.open();
    expect((await rig.committed())[0] ?? -1).toBeLessThan(1);
  });

  test('pause() in a handler that throws asks for all again', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    const running = await rig.serve(
      batches(
        (values, context) => {
          seen.push(`${values.join()}/${context.getDeliveryAttempt()}`);
          if (seen.length > 1) return;
          consumerOf(running).pause([{ topic: rig.topic }]);
          throw new Error('later');
        },
        { maxWait: 200 },
      ),
    );
    await rig.write('0:1', '0:2');
    await until('it is paused', () => seen.length === 1);
    await pause(300);
    expect(seen).toHaveLength(1);
    consumerOf(running).resume([{ topic: rig.topic }]);
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen).toEqual(['0:1,0:2/1', '0:1,0:2/1']);
  });
});

const refusal = (...controllers: (new () => object)[]): Promise<Error> =>
  listen(new ServerKafka({ client: { brokers: ['127.0.0.1:1'] } }) as never, controllers).then(
    () => new Error('it listens'),
    (error: Error) => error,
  );

describe('options that cannot be', () => {
  test('a batch of requests, a batch without order, and a batch beside single messages', async () => {
    @Controller()
    class Requests {
      @MessagePattern('t', kafkaHandler({ batch: {} }))
      ask(): void {}
    }
    expect((await refusal(Requests)).message).toContain('Option kafka.batch is for events');
    const keyed = batches(() => undefined, {}, { concurrency: { order: 'key' } });
    expect((await refusal(keyed)).message).toContain('Option kafka.batch cannot be with the order "key"');
    @Controller()
    class Mixed {
      @BatchPattern('t')
      many(@Payload() values: unknown[]): unknown {
        return values;
      }

      @EventPattern<string>('t', kafkaHandler({ headers: { type: 'A' } }))
      one(@Payload() value: unknown): unknown {
        return value;
      }
    }
    expect((await refusal(Mixed)).message).toContain(
      'Option kafka.batch is not the same in Mixed.many() of "t" and in Mixed.one() of "t", which handle the same topic',
    );
  });
});
