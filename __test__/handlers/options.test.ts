import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, type KafkaContext } from '@nestjs/microservices';
import { kafkaHandler, ServerKafka } from 'nestjs-kafka-native';
import { describe, expect, test } from 'vitest';
import { attemptOf, Rig, SOON } from '../delivery/rig';
import { listen } from '../harness/apps';
import { createTopics, rawProducer, untilCommitted } from '../harness/broker';
import { logs } from '../harness/logs';
import { Tap } from '../harness/tap';
import { Gate, until } from '../harness/wait';

const rig = new Rig('handler-options');

/** What `listen()` rejects with for controllers whose options are wrong; nothing is connected. */
async function refusal(...controllers: (new () => object)[]): Promise<Error & { option?: string }> {
  const server = new ServerKafka({ client: { brokers: ['127.0.0.1:1'] } });
  return listen(server as never, controllers).then(
    async (running) => {
      await running.close();
      throw new Error('it listens');
    },
    (error: Error) => error,
  );
}

describe('options of a handler that cannot be', () => {
  test('are refused by class, method, pattern and option', async () => {
    @Controller()
    class Orders {
      @EventPattern<string>('orders', { kafka: { handlerTimeOut: 5 } })
      placed(): void {}
    }
    const error = await refusal(Orders);
    expect(error.name).toBe('KafkaJSInvalidOptionError');
    expect(error.message).toBe(
      'Unknown option kafka.handlerTimeOut: did you mean kafka.handlerTimeout? (Orders.placed() of "orders")',
    );
    expect(error.option).toBe('kafka.handlerTimeOut');
  });

  test.each([
    [
      { deadLetter: { maxAttempts: 0 } },
      'Invalid option kafka.deadLetter.maxAttempts: expected a number, 1 or',
    ],
    [{ deadLetter: true }, 'Invalid option kafka.deadLetter'],
    [{ retry: { restartOnFailure: () => true } }, 'set consumer.retry.restartOnFailure'],
    [{ groupId: 'g' }, 'Unknown option kafka.groupId: did you mean consumer.groupId?'],
    ['no', 'Invalid option kafka: expected an object'],
  ])('%j', async (kafka, text) => {
    @Controller()
    class Asking {
      @MessagePattern(/^ask/, { kafka })
      ask(): void {}
    }
    const { message } = await refusal(Asking);
    expect(message).toContain(text);
    expect(message).toContain('(Asking.ask() of /^ask/)');
  });

  test('are those that differ between handlers of the same messages', async () => {
    @Controller()
    class One {
      @EventPattern<string>('orders', kafkaHandler({ deadLetter: { maxAttempts: 2 } }))
      first(): void {}
    }
    @Controller()
    class Two {
      @EventPattern<string>('orders', kafkaHandler({ deadLetter: { maxAttempts: 3 } }))
      second(): void {}
    }
    expect((await refusal(One, Two)).message).toBe(
      'Option kafka.deadLetter is not the same in One.first() of "orders" and in Two.second() of "orders", which get the same messages: give both the same, or leave it out of one',
    );
  });

  test('are those that differ between handlers that may match the same message', async () => {
    @Controller()
    class Shop {
      @EventPattern<string>('orders', kafkaHandler({ headers: { x: '1' }, deadLetter: { maxAttempts: 2 } }))
      first(): void {}

      @EventPattern<string>('orders', kafkaHandler({ headers: { x: '2' }, deadLetter: { maxAttempts: 3 } }))
      other(): void {}

      @EventPattern<string>('orders', kafkaHandler({ headers: { y: '1' }, deadLetter: { maxAttempts: 2 } }))
      second(): void {}

      @EventPattern<string>('orders', kafkaHandler({ headers: { x: '1', z: '1' }, deadLetter: false }))
      third(): void {}
    }
    expect((await refusal(Shop)).message).toBe(
      'Option kafka.deadLetter is not the same in Shop.first() of "orders" and in Shop.third() of "orders", which may get the same message by their headers: give both the same, or leave it out of one',
    );
  });

  test('may be the same in both, or left out of one', async () => {
    @Controller()
    class Both {
      @EventPattern<string>(rig.topic, kafkaHandler({ deadLetter: { maxAttempts: 2 } }))
      first(): void {}

      @EventPattern<string>(rig.topic, kafkaHandler({ deadLetter: { maxAttempts: 2 }, handlerTimeout: 1000 }))
      second(): void {}

      @EventPattern<string>(rig.topic)
      third(): void {}
    }
    await createTopics({ [rig.topic]: 1 });
    await rig.serve(Both);
  });
});

describe('options of a handler', () => {
  test('are over those of the server: attempts, dead letters and waits', async () => {
    const [own, none, like] = [`${rig.topic}-own`, `${rig.topic}-none`, `${rig.topic}-like`];
    const dead = `${rig.topic}.dead`;
    await createTopics({ [own]: 1, [none]: 1, [like]: 1, [dead]: 1, [`${like}.DLT`]: 1 });
    const seen: [string, number][] = [];
    const fail = (name: string, context: KafkaContext): void => {
      seen.push([name, attemptOf(context)]);
      if (name !== 'none' || attemptOf(context) < 6) throw new Error(`no ${name}`);
    };
    @Controller()
    class Failing {
      @EventPattern<string>(own, kafkaHandler({ deadLetter: { topic: dead, maxAttempts: 2 } }))
      own(@Payload() _: string, @Ctx() context: KafkaContext): void {
        fail('own', context);
      }

      @EventPattern<string>(none, kafkaHandler({ deadLetter: false }))
      none(@Payload() _: string, @Ctx() context: KafkaContext): void {
        fail('none', context);
      }

      @EventPattern<string>(like)
      like(@Payload() _: string, @Ctx() context: KafkaContext): void {
        fail('like', context);
      }
    }
    const reader = rig.keep(await Tap.on([dead, `${like}.DLT`]));
    await rig.serve(Failing, { deadLetter: { maxAttempts: 4 }, consumer: { retry: SOON } });
    const producer = await rawProducer();
    for (const topic of [own, none, like]) await producer.send({ topic, messages: [{ value: 'x' }] });
    await Promise.all([own, none, like].map((topic) => untilCommitted(rig.group, topic, 1)));
    const attempts = (name: string): number[] => seen.filter(([from]) => from === name).map(([, n]) => n);
    expect(attempts('own')).toEqual([1, 2]);
    expect(attempts('none')).toEqual([1, 2, 3, 4, 5, 6]);
    expect(attempts('like')).toEqual([1, 2, 3, 4]);
    expect((await reader.read(dead, 1)).length).toBe(1);
    expect((await reader.read(`${like}.DLT`, 1)).length).toBe(1);
  });

  test('have a time-out of their own', async () => {
    const [quick, patient] = [`${rig.topic}-quick`, `${rig.topic}-patient`];
    await createTopics({ [quick]: 1, [patient]: 1 });
    const gate = new Gate();
    @Controller()
    class Slow {
      @EventPattern<string>(quick, kafkaHandler({ handlerTimeout: 50 }))
      quick(): Promise<void> {
        return gate.pass();
      }

      @EventPattern<string>(patient)
      patient(): Promise<void> {
        return gate.pass();
      }
    }
    const { statuses } = await rig.serve(Slow, { consumer: { handlerTimeout: 60_000 } });
    const producer = await rawProducer();
    for (const topic of [quick, patient]) await producer.send({ topic, messages: [{ value: 'x' }] });
    await until('the quick one is reported', () => statuses.includes('stalled'));
    expect(logs.matching('error', `The handler of message 0 of ${quick} [0]`)).toHaveLength(1);
    expect(logs.matching('error', `The handler of message 0 of ${patient} [0]`)).toEqual([]);
    gate.open();
    await untilCommitted(rig.group, patient, 1);
  });
});
