import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { ClientKafka, kafkaHandler, type KafkaContext, type KafkaHandlerOptions } from 'nestjs-kafka-native';
import { concat, defer, of, throwError, timer } from 'rxjs';
import { map } from 'rxjs/operators';
import { describe, expect, test } from 'vitest';
import { Rig, SOON } from '../delivery/rig';
import { optionsFor } from '../harness/apps';
import { createTopics, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { outcome } from '../harness/outcome';
import { Tap } from '../harness/tap';
import { pause, until } from '../harness/wait';
import { Recorded } from '../observability/recorded';

const rig = new Rig('acks');

type Handle = (data: string, context: KafkaContext) => unknown;

function handler(kafkaOptions: KafkaHandlerOptions, handle: Handle): new () => object {
  @Controller()
  class Handler {
    @EventPattern<string>(rig.topic, kafkaHandler(kafkaOptions))
    handle(@Payload() data: string, @Ctx() context: KafkaContext): unknown {
      return handle(data, context);
    }
  }
  return Handler;
}

const MANUAL: KafkaHandlerOptions = { ack: 'manual' };

describe('nack()', () => {
  test.each([['partition'], ['key'], ['none']] as const)('in the order %s', async (order) => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    await rig.serve(
      handler({ concurrency: { order } }, (value, context) => {
        seen.push(`${value}/${context.getDeliveryAttempt()}`);
        if (value === '0:late' && context.getDeliveryAttempt() < 3) context.nack({ delay: 100 });
      }),
    );
    await rig.write('0:late', '0:next');
    await untilCommitted(rig.group, rig.topic, 2);
    // Without a key, only an order of the partition makes the next one wait.
    const late = ['0:late/1', '0:late/2', '0:late/3'];
    if (order === 'partition') expect(seen).toEqual([...late, '0:next/1']);
    else expect(seen).toEqual(['0:late/1', '0:next/1', '0:late/2', '0:late/3']);
  });

  test('of a partition rests it, and is no failure', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    const times: number[] = [];
    await rig.serve((value, context) => {
      const native = context as KafkaContext;
      seen.push(`${value}/${native.getDeliveryAttempt()}`);
      if (!value.endsWith('late') || native.getDeliveryAttempt() > 2) return;
      times.push(performance.now());
      expect(native.nack({ delay: 150 })).toBe(true);
      expect(native.nack()).toBe(false);
    });
    await rig.write('0:late', '0:next');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen).toEqual(['0:late/1', '0:late/2', '0:late/3', '0:next/1']);
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThanOrEqual(149);
    expect(logs.matching('error', rig.topic)).toEqual([]);
  });

  test('counts for the dead letters', async () => {
    const dead = `${rig.topic}.DLT`;
    await createTopics({ [rig.topic]: 1, [dead]: 1 });
    const reader = rig.keep(await Tap.on([dead]));
    await rig.serve(
      handler({ deadLetter: { maxAttempts: 2 } }, (_, context) => void context.nack({ delay: 10 })),
    );
    await rig.write('0:never');
    await untilCommitted(rig.group, rig.topic, 1);
    const [record] = await reader.read(dead, 1);
    expect(Object.fromEntries(record?.headers ?? [])['kafka_dlt-exception-fqcn']).toBe('KafkaNackError');
  });

  test.each([['partition'], ['key'], ['none']] as const)(
    'after the return of the handler counts for the dead letters, in the order %s',
    async (order) => {
      const dead = `${rig.topic}.DLT`;
      await createTopics({ [rig.topic]: 1, [dead]: 1 });
      const reader = rig.keep(await Tap.on([dead]));
      const seen: string[] = [];
      await rig.serve(
        handler(
          { ...MANUAL, concurrency: { order }, deadLetter: { maxAttempts: 3 } },
          (value, context) =>
            void setImmediate(() => {
              seen.push(`${value}/${context.getDeliveryAttempt()}`);
              expect(value === '0:never' ? context.nack({ delay: 10 }) : context.ack()).toBe(true);
            }),
        ),
        { run: { autoCommitInterval: 50 } },
      );
      await rig.write('0:never', '0:next');
      const [record] = await reader.read(dead, 1);
      const headers = Object.fromEntries(record?.headers ?? []);
      expect([record?.value, headers['kafka_dlt-exception-fqcn']]).toEqual(['0:never', 'KafkaNackError']);
      await untilCommitted(rig.group, rig.topic, 2);
      expect(seen.filter((each) => each.startsWith('0:never'))).toEqual([
        '0:never/1',
        '0:never/2',
        '0:never/3',
      ]);
      expect(seen).toContain('0:next/1');
      expect(logs.matching('warn', `${dead}: it failed after 3 deliveries with KafkaNackError`)).toHaveLength(
        1,
      );
      expect(logs.matching('error', rig.topic)).toEqual([]);
    },
  );

  test('refuses what is no delay, and ack() where it is not by hand', async () => {
    await createTopics({ [rig.topic]: 1 });
    const errors: Error[] = [];
    await rig.serve((_, context) => {
      const native = context as KafkaContext;
      for (const call of [() => native.nack({ delay: -1 }), () => native.ack()]) {
        try {
          call();
        } catch (error) {
          errors.push(error as Error);
        }
      }
    });
    await rig.write('0:x');
    await untilCommitted(rig.group, rig.topic, 1);
    expect(errors.map(({ message }) => message)).toEqual([
      'nack() takes a delay in milliseconds, 0 or more; it got -1',
      `ack() without manual acknowledgements: messages of ${rig.topic} count as finished when their handler has ended. Give it the option kafka: { ack: 'manual' }`,
    ]);
  });
});

describe('the context of a delivery that has failed', () => {
  test.each([
    ['handled in order', {}],
    ['in the order of their keys', { concurrency: { order: 'key' } }],
    ['acknowledged by hand', MANUAL],
    ['acknowledged by hand, in no order', { ...MANUAL, concurrency: { order: 'none' } }],
  ] satisfies [string, KafkaHandlerOptions][])(
    'has no effect on the next delivery: messages %s',
    async (_, options) => {
      await createTopics({ [rig.topic]: 1 });
      const seen: string[] = [];
      const said: boolean[] = [];
      const isManual = 'ack' in options;
      let failed: KafkaContext | undefined;
      await rig.serve(
        handler(options, (value, context) => {
          seen.push(`${value}/${context.getDeliveryAttempt()}`);
          if (value === '0:fails' && failed === undefined) {
            failed = context;
            throw new Error('once');
          }
          if (value === '0:fails') {
            if (isManual) said.push((failed as KafkaContext).ack());
            said.push((failed as KafkaContext).nack());
          }
          if (isManual) said.push(context.ack());
        }),
        { consumer: { retry: SOON } },
      );
      await rig.write('0:fails');
      await untilCommitted(rig.group, rig.topic, 1);
      expect(seen).toEqual(['0:fails/1', '0:fails/2']);
      expect(said).toEqual(isManual ? [false, false, true] : [false]);
    },
  );
});

describe('what nobody can acknowledge', () => {
  test('a request whose error is its answer, at once or in a stream, counts as acknowledged', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    @Controller()
    class Prices {
      @MessagePattern(rig.topic, kafkaHandler(MANUAL))
      price(@Payload() how: string, @Ctx() context: KafkaContext): unknown {
        if (how === 'throws') throw new Error('no price');
        const fails = throwError(() => new Error('no more'));
        if (how === 'streams') return concat(of('1'), timer(20).pipe(map(() => '2')), fails);
        if (how === 'fails') return fails;
        context.ack();
        return how;
      }
    }
    await rig.serve(Prices);
    const client = rig.keep(new ClientKafka(optionsFor(`${rig.topic}-c`) as never));
    client.subscribeToResponseOf(rig.topic);
    await client.connect();
    const values = { throws: [], streams: ['1', '2'], fails: [], answers: ['answers'] };
    for (const [how, expected] of Object.entries(values)) {
      const answer = await outcome(client.send(rig.topic, how));
      expect(answer).toMatchObject({ values: expected, ended: how === 'answers' ? 'completed' : 'failed' });
    }
    await untilCommitted(rig.group, rig.topic, 4);
  });

  test.each([
    ['one by one', MANUAL],
    ['in no order', { ...MANUAL, concurrency: { order: 'none' } }],
  ] satisfies [string, KafkaHandlerOptions][])(
    'a message that a deserializer gives to a pattern without a handler does too: %s',
    async (_, options) => {
      await createTopics({ [rig.topic]: 1 });
      const seen: string[] = [];
      const deserializer = {
        deserialize: ({ value }: { value: unknown }, { channel }: { channel: string }) => ({
          pattern: String(value) === '0:stray' ? 'nobody' : channel,
          data: String(value),
        }),
      };
      const events = handler(options, (value, context) => {
        seen.push(value);
        context.ack();
      });
      await rig.serve(events, { deserializer });
      await rig.write('0:stray', '0:mine', '0:stray');
      await untilCommitted(rig.group, rig.topic, 3);
      expect(seen).toEqual(['0:mine']);
    },
  );
});

describe('nack() of a request', () => {
  const refuses: Record<string, (nack: () => void) => unknown> = {
    returns: (nack) => nack(),
    resolves: async (nack) => {
      await pause(5);
      nack();
      return 'no answer';
    },
    throws: (nack) => {
      nack();
      throw new Error('no answer');
    },
    streams: (nack) =>
      defer(() => {
        nack();
        return concat(of('no'), timer(50).pipe(map(() => 'answer')));
      }),
    'streams an error': (nack) =>
      defer(() => {
        nack();
        return concat(
          of('no'),
          throwError(() => new Error('no answer')),
        );
      }),
  };
  /** Asks a handler that refuses its first delivery in each of these ways. */
  async function ask(options: KafkaHandlerOptions): Promise<void> {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    @Controller()
    class Prices {
      @MessagePattern(rig.topic, kafkaHandler(options))
      price(@Payload() how: string, @Ctx() context: KafkaContext): unknown {
        const attempt = context.getDeliveryAttempt();
        if (attempt > 1) return of(`delivery ${attempt}`, 'over');
        return (refuses[how] as (nack: () => void) => unknown)(() => void context.nack({ delay: 20 }));
      }
    }
    await rig.serve(Prices, { consumer: { retry: SOON } });
    const client = rig.keep(new ClientKafka(optionsFor(`${rig.topic}-c`) as never));
    client.subscribeToResponseOf(rig.topic);
    await client.connect();
    for (const how of Object.keys(refuses)) {
      const answer = await outcome(client.send(rig.topic, how));
      expect({ how, ...answer }).toEqual({ how, values: ['delivery 2', 'over'], ended: 'completed' });
    }
    await untilCommitted(rig.group, rig.topic, Object.keys(refuses).length);
  }

  test.each([['partition'], ['key'], ['none']] as const)(
    'answers nothing: its next delivery does, in the order %s',
    (order) => ask({ concurrency: { order } }),
  );

  test('answers nothing while it is traced', async () => {
    const traced = new Recorded('process');
    await ask({});
    expect(traced.at('start').filter(({ isReply }) => !isReply)).toHaveLength(10);
  });
});

describe('by hand', () => {
  test('messages count when they are acknowledged, in any order', async () => {
    await createTopics({ [rig.topic]: 1 });
    const contexts: KafkaContext[] = [];
    await rig.serve(
      handler(MANUAL, (_, context) => void contexts.push(context)),
      {
        run: { autoCommitInterval: 50 },
      },
    );
    await rig.write('0:0', '0:1', '0:2', '0:3');
    await until('all are handled', () => contexts.length === 4);
    const [a, b, c, d] = contexts as [KafkaContext, KafkaContext, KafkaContext, KafkaContext];
    expect([c.ack(), c.ack(), b.ack()]).toEqual([true, false, true]);
    await pause(200);
    expect((await rig.committed())[0] ?? 0).toBe(0);
    expect(a.ack()).toBe(true);
    await untilCommitted(rig.group, rig.topic, 3);
    expect([d.ack(), d.nack()]).toEqual([true, false]);
    await untilCommitted(rig.group, rig.topic, 4);
  });

  test('a message that is refused later comes again, and the partition waits for it', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    const contexts: KafkaContext[] = [];
    await rig.serve(
      handler(MANUAL, (value, context) => {
        seen.push(`${value}/${context.getDeliveryAttempt()}`);
        if (value === '0:0' && context.getDeliveryAttempt() === 1) contexts.push(context);
        else context.ack();
      }),
    );
    await rig.write('0:0', '0:1');
    await until('both are handled', () => seen.length === 2);
    expect(contexts[0]?.nack({ delay: 100 })).toBe(true);
    expect([contexts[0]?.ack(), contexts[0]?.nack()]).toEqual([false, false]);
    await rig.write('0:2');
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual(['0:0/1', '0:1/1', '0:0/2', '0:2/1']);
  });

  test('an error brings it again, unless it was acknowledged before', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    await rig.serve(
      handler({ ...MANUAL, concurrency: { order: 'key' } }, (value, context) => {
        seen.push(`${value}/${context.getDeliveryAttempt()}`);
        if (value === '0:acked' || context.getDeliveryAttempt() === 2) context.ack();
        throw new Error('no');
      }),
      { consumer: { retry: SOON } },
    );
    await rig.write('0:acked', '0:not');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen).toEqual(['0:acked/1', '0:not/1', '0:not/2']);
  });

  test('what is not acknowledged in time is reported, and comes again elsewhere; later it is too late', async () => {
    await createTopics({ [rig.topic]: 1 });
    const contexts: KafkaContext[] = [];
    const server = await rig.serve(
      handler({ ...MANUAL, handlerTimeout: 50 }, (value, context) => {
        contexts.push(context);
        if (value === '0:1') context.ack();
      }),
      { consumer: { drainTimeout: 200 } },
    );
    await rig.write('0:0', '0:1');
    await until('it is reported', () => server.statuses.includes('stalled'));
    expect(logs.matching('error', `The handler of message 0 of ${rig.topic} [0]`)).toHaveLength(1);
    expect(logs.matching('error', `The handler of message 1 of ${rig.topic} [0]`)).toEqual([]);
    await server.close();
    expect([contexts[0]?.ack(), contexts[0]?.nack()]).toEqual([false, false]);
    const again: string[] = [];
    await rig.serve(
      handler(MANUAL, (value, context) => {
        again.push(value);
        context.ack();
      }),
    );
    await untilCommitted(rig.group, rig.topic, 2);
    expect(again).toEqual(['0:0']);
  });

  test('a close waits for those that are still to come', async () => {
    await createTopics({ [rig.topic]: 1 });
    const contexts: KafkaContext[] = [];
    const server = await rig.serve(handler(MANUAL, (_, context) => void contexts.push(context)));
    await rig.write('0:0', '0:1');
    await until('both are handled', () => contexts.length === 2);
    const closed = server.close();
    await pause(200);
    expect(contexts.map((context) => context.ack())).toEqual([true, true]);
    await closed;
    expect(await rig.committed()).toEqual({ 0: 2 });
  });
});
