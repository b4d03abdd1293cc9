import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import {
  BatchPattern,
  Idempotent,
  kafkaHandler,
  KafkaSchemaRegistryError,
  MemoryIdempotencyStore,
  type Claim,
  type KafkaContext,
  type KafkaHandlerOptions,
} from 'nestjs-kafka-native';
import { beforeEach, describe, expect, test } from 'vitest';
import { createTopics, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { until } from '../harness/wait';
import { consumerOf, Rig, type Options, type Running } from './rig';

// Without `deadLetter` too, a message that only waits for something else uses up no retries, and so crashes no consumer.

const rig = new Rig('waiting');
/** How often what is waited for is away: more often than there are retries. */
const TIMES = 12;
const retry = {
  initialRetryTime: 5,
  maxRetryTime: 20,
  retries: 3,
  // A crash would be the end.
  restartOnFailure: () => Promise.resolve(false),
};
const base: Options = { consumer: { retry }, run: { autoCommitInterval: 50 } };

let seen: string[];
let crashes: unknown[];

beforeEach(async () => {
  seen = [];
  crashes = [];
  await createTopics({ [rig.topic]: 1 });
});

async function serve(what: Type, extra: Options = {}): Promise<Running> {
  const running = await rig.serve(what, { ...base, ...extra });
  consumerOf(running).on('consumer.crash', ({ payload }: { payload: unknown }) => crashes.push(payload));
  return running;
}

function warnings(part: string): string[] {
  return logs.matching('warn', `Message 0 of ${rig.topic} [0] waits for ${part}`);
}

/** A store that is away at first. */
class AwayStore extends MemoryIdempotencyStore {
  times = 0;

  override claim(key: string, lease: number): Claim {
    if (this.times++ < TIMES) throw new Error('connect ECONNREFUSED');
    return super.claim(key, lease);
  }
}

function paying(store: MemoryIdempotencyStore, options: KafkaHandlerOptions = {}): Type {
  @Controller()
  class Payments {
    @EventPattern<string>(rig.topic, kafkaHandler(options))
    @Idempotent({ key: (id: string) => id, store })
    pay(@Payload() id: string, @Ctx() context: KafkaContext): void {
      seen.push(`${id}/${context.getDeliveryAttempt()}`);
    }
  }
  return Payments;
}

describe.each([['partition'], ['key'], ['none']] as const)('in the order %s', (order) => {
  test('a store that is away for longer than all retries take is waited for', async () => {
    const store = new AwayStore();
    await serve(paying(store, { concurrency: { order } }));
    await rig.write('0:a', '0:b');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen.toSorted()).toEqual(['0:a/1', '0:b/1']);
    expect(crashes).toEqual([]);
    expect(store.times).toBeGreaterThan(TIMES);
    expect(warnings('the store of @Idempotent: ')).not.toEqual([]);
  });

  test('so is a key that another one has', async () => {
    const store = new MemoryIdempotencyStore();
    const claim = store.claim('0:a', 60_000);
    await serve(paying(store, { concurrency: { order } }));
    await rig.write('0:a');
    // At the waits 1, 2, 4, 8 and 16.
    await until('it has waited long', () => warnings('another delivery of its key: ').length === 5);
    store.release('0:a', claim);
    await untilCommitted(rig.group, rig.topic, 1);
    expect(seen).toEqual(['0:a/1']);
    expect(crashes).toEqual([]);
  });
});

/** The deserializer of a schema registry that is away at first. */
function awayRegistry(): Options {
  let times = 0;
  return {
    deserializer: {
      deserialize: (message: { value: unknown }, { channel }: { channel: string }) => {
        if (times++ < TIMES) throw new KafkaSchemaRegistryError('schema 7', new Error('503'));
        return { pattern: channel, data: message.value };
      },
    },
  };
}

function handling(kafkaOptions: KafkaHandlerOptions): Type {
  @Controller()
  class Events {
    @EventPattern<string>(rig.topic, kafkaHandler(kafkaOptions))
    handle(@Payload() value: string): void {
      seen.push(value);
    }
  }
  return Events;
}

function handlingBatches(): Type {
  @Controller()
  class Batches {
    @BatchPattern(rig.topic)
    handle(@Payload() values: string[]): void {
      seen.push(...values);
    }
  }
  return Batches;
}

describe('a schema registry that is away for longer than all retries take is waited for', () => {
  test.each<[string, () => Type, Options?]>([
    ['one after the other', () => handling({})],
    ['by key', () => handling({ concurrency: { order: 'key' } })],
    ['in batches', handlingBatches],
    ['in transactions', () => handling({ transactional: true }), { transactions: { idPrefix: 'waiting' } }],
  ])('by handlers that are called %s', async (_, controller, extra) => {
    await serve(controller(), { ...awayRegistry(), ...extra });
    await rig.write('0:a');
    await untilCommitted(rig.group, rig.topic, 1);
    expect(seen).toEqual(['0:a']);
    expect(crashes).toEqual([]);
    expect(warnings('the schema registry: ')).toHaveLength(4);
  });
});

test('what fails by itself behind such a wait has all of its retries', async () => {
  const store = new AwayStore();
  let failures = 0;
  @Controller()
  class Payments {
    @EventPattern<string>(rig.topic)
    @Idempotent({ key: (id: string) => id, store })
    pay(@Payload() id: string): void {
      if (failures++ < retry.retries) throw new Error('not yet');
      seen.push(id);
    }
  }
  await serve(Payments);
  await rig.write('0:a');
  await untilCommitted(rig.group, rig.topic, 1);
  expect(seen).toEqual(['0:a']);
  expect(crashes).toEqual([]);
});
