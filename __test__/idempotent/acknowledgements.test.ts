import {
  type ArgumentMetadata,
  type CallHandler,
  Controller,
  type ExecutionContext,
  type PipeTransform,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  BatchPattern,
  ClientKafka,
  Idempotent,
  kafkaHandler,
  MemoryIdempotencyStore,
  ServerKafka,
  type KafkaContext,
  type KafkaHandlerOptions,
} from 'nestjs-kafka-native';
import { of } from 'rxjs';
import { beforeEach, describe, expect, test } from 'vitest';
import { Rig, SOON } from '../delivery/rig';
import { listen, optionsFor } from '../harness/apps';
import { createTopics, rawProducer, untilCommitted } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { pause, until } from '../harness/wait';

// Whether a key is done is for the end of the delivery to say, not for the return of the method.

const rig = new Rig('verdicts');
const key = (id: string): string => id;
const options = { consumer: { retry: { ...SOON, retries: 10_000 } }, run: { autoCommitInterval: 50 } };

let store: MemoryIdempotencyStore;
let seen: string[];

beforeEach(() => {
  store = new MemoryIdempotencyStore();
  seen = [];
});

/** A controller that notes its deliveries. */
function handling(
  handle: (id: string, context: KafkaContext) => unknown,
  kafkaOptions: KafkaHandlerOptions = {},
): new () => object {
  @Controller()
  class Payments {
    @EventPattern<string>(rig.topic, kafkaHandler(kafkaOptions))
    @Idempotent({ key, store })
    pay(@Payload() id: string, @Ctx() context: KafkaContext): unknown {
      seen.push(`${id}/${context.getDeliveryAttempt()}`);
      return handle(id, context);
    }
  }
  return Payments;
}

const refusesFirst = (_: string, context: KafkaContext): void => {
  if (context.getDeliveryAttempt() === 1) context.nack({ delay: 20 });
};

const streams = async (id: string, context: KafkaContext): Promise<unknown> => {
  await pause(5);
  refusesFirst(id, context);
  return of(1, 2);
};

describe('a message that its handler refuses', () => {
  test.each([['partition'], ['key'], ['none']] as const)(
    'is handled again, in the order %s',
    async (order) => {
      await createTopics({ [rig.topic]: 1 });
      await rig.serve(handling(refusesFirst, { concurrency: { order } }), options);
      await rig.write('0:a');
      await until('it is handled again', () => seen.length === 2);
      await rig.write('0:a');
      await untilCommitted(rig.group, rig.topic, 2);
      expect(seen).toEqual(['0:a/1', '0:a/2']);
    },
  );

  test('is handled again where another handler takes it by its headers, too', async () => {
    await createTopics({ [rig.topic]: 1 });
    @Controller()
    class Payments {
      @EventPattern<string>(rig.topic, kafkaHandler({ headers: { x: '1' } }))
      @Idempotent({ key, store })
      pay(@Payload() id: string, @Ctx() context: KafkaContext): void {
        seen.push(`${id}/${context.getDeliveryAttempt()}`);
        refusesFirst(id, context);
      }

      @EventPattern<string>(rig.topic, kafkaHandler({ headers: { y: '1' } }))
      note(): void {
        seen.push('noted');
      }
    }
    await rig.serve(Payments, options);
    const headers = { x: '1', y: '1' };
    await (await rawProducer()).send({ topic: rig.topic, messages: [{ value: 'a', headers }] });
    await untilCommitted(rig.group, rig.topic, 1);
    expect(seen.toSorted()).toEqual(['a/1', 'a/2', 'noted', 'noted']);
  });

  test('in what it streams is handled again', async () => {
    await createTopics({ [rig.topic]: 1 });
    await rig.serve(handling(streams), options);
    await rig.write('0:a', '0:a');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen).toEqual(['0:a/1', '0:a/2']);
  });

  test('behind its back is handled again: an interceptor has the context that it did not ask for', async () => {
    await createTopics({ [rig.topic]: 1 });
    class Refuses {
      intercept(execution: ExecutionContext, next: CallHandler): unknown {
        refusesFirst('', execution.switchToRpc().getContext<KafkaContext>());
        return next.handle();
      }
    }
    @Controller()
    @UseInterceptors(Refuses)
    class Payments {
      @EventPattern<string>(rig.topic)
      @Idempotent({ key: (...args: string[]) => `${args.length}:${args[0]}`, store })
      pay(...args: string[]): void {
        seen.push(args.join());
      }
    }
    await rig.serve(Payments, options);
    await rig.write('0:a', '0:a');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen).toEqual(['0:a', '0:a']);
    expect(store.claim('1:0:a', 1000).state).toBe('done');
  });

  test('and that is a request gets the answer of the handler that takes it', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    @Controller()
    class Prices {
      @MessagePattern(rig.topic)
      @Idempotent({ key, store })
      price(@Payload() id: string, @Ctx() context: KafkaContext): string {
        refusesFirst(id, context);
        return `${id}/${context.getDeliveryAttempt()}`;
      }
    }
    await rig.serve(Prices, options);
    const client = rig.keep(new ClientKafka(optionsFor(`${rig.topic}-c`) as never));
    client.subscribeToResponseOf(rig.topic);
    await client.connect();
    for (const _ of [1, 2])
      expect(await outcome(client.send(rig.topic, 'tea'))).toEqual({ values: ['tea/2'], ended: 'completed' });
  });
});

describe('by hand', () => {
  test('a key is done when its message is acknowledged, and what comes again then is acknowledged', async () => {
    await createTopics({ [rig.topic]: 1 });
    const contexts: KafkaContext[] = [];
    await rig.serve(
      handling((_, context) => void contexts.push(context), { ack: 'manual' }),
      options,
    );
    await rig.write('0:a');
    await until('it is handled', () => contexts.length === 1);
    expect(store.claim('0:a', 1000).state).toBe('busy');
    expect(contexts[0]?.ack()).toBe(true);
    expect(store.claim('0:a', 1000).state).toBe('done');
    await rig.write('0:a', '0:a');
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual(['0:a/1']);
  });

  test('a message that is refused later is handled again', async () => {
    await createTopics({ [rig.topic]: 1 });
    const contexts: KafkaContext[] = [];
    await rig.serve(
      handling((_, context) => void contexts.push(context), { ack: 'manual' }),
      options,
    );
    await rig.write('0:a');
    await until('it is handled', () => contexts.length === 1);
    expect(contexts[0]?.nack()).toBe(true);
    await until('it is handled again', () => contexts.length === 2);
    expect(contexts[1]?.ack()).toBe(true);
    await untilCommitted(rig.group, rig.topic, 1);
    expect(seen).toEqual(['0:a/1', '0:a/2']);
    expect(store.claim('0:a', 1000).state).toBe('done');
  });

  test('an error behind the acknowledgement leaves the key done, one before gives it back', async () => {
    await createTopics({ [rig.topic]: 1 });
    await rig.serve(
      handling(
        (id, context) => {
          if (id === '0:acked' || context.getDeliveryAttempt() === 2) context.ack();
          throw new Error('no');
        },
        { ack: 'manual' },
      ),
      options,
    );
    await rig.write('0:acked', '0:not', '0:acked', '0:not');
    await untilCommitted(rig.group, rig.topic, 4);
    expect(seen).toEqual(['0:acked/1', '0:not/1', '0:not/2']);
  });
});

describe('what no key can stand for is refused at the start', () => {
  test('a transactional handler, whose messages come again after their transaction is aborted', async () => {
    const server = new ServerKafka({
      ...(optionsFor(rig.topic) as object),
      transactions: { idPrefix: rig.topic },
    });
    await expect(
      listen(server as never, [handling(() => undefined, { transactional: true })]),
    ).rejects.toThrow(
      /^Option kafka\.transactional cannot be with @Idempotent: .* \(Payments\.pay\(\) of "verdicts/,
    );
  });

  test('a handler of batches', async () => {
    @Controller()
    class Payments {
      @Idempotent({ key: (ids: string[]) => ids[0] as string, store })
      @BatchPattern(rig.topic)
      pay(): void {}
    }
    const server = new ServerKafka(optionsFor(rig.topic) as object);
    await expect(listen(server as never, [Payments])).rejects.toThrow(
      /^Option kafka\.batch cannot be with @Idempotent: .* \(Payments\.pay\(\) of "verdicts/,
    );
  });
});

test('pipes of the method get what they got without it', async () => {
  await createTopics({ [rig.topic]: 1 });
  const types: string[] = [];
  class Shape implements PipeTransform {
    transform(value: unknown, { type }: ArgumentMetadata): unknown {
      types.push(type);
      if (typeof value !== 'string') throw new TypeError('no text');
      return value;
    }
  }
  @Controller()
  class Payments {
    @EventPattern<string>(rig.topic)
    @UsePipes(new Shape())
    @Idempotent({ key, store })
    pay(@Payload() id: string): void {
      seen.push(id);
    }
  }
  await rig.serve(Payments, options);
  await rig.write('0:a', '0:a', '0:b');
  await untilCommitted(rig.group, rig.topic, 3);
  expect(seen).toEqual(['0:a', '0:b']);
  expect(types).toEqual(['body', 'body', 'body']);
});
