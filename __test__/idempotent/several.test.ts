import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { Idempotent, kafkaHandler, MemoryIdempotencyStore, type KafkaContext } from 'nestjs-kafka-native';
import { beforeEach, describe, expect, test } from 'vitest';
import { Rig, SOON } from '../delivery/rig';
import { createTopics, rawProducer, untilCommitted } from '../harness/broker';
import { Gate, until } from '../harness/wait';

// A message of several handlers is one for Kafka; what each of them has done is its own.

const rig = new Rig('several-verdicts');
const options = { consumer: { retry: { ...SOON, retries: 10_000 } }, run: { autoCommitInterval: 50 } };

type Handle = (id: string, context: KafkaContext) => unknown;

const manual = { ack: 'manual' };
const acknowledges: Handle = (_, context) => context.ack();

let store: MemoryIdempotencyStore;
let seen: string[];

beforeEach(() => {
  store = new MemoryIdempotencyStore();
  seen = [];
});

const note = (name: string, id: string, context: KafkaContext): void => {
  seen.push(`${name} ${id}/${context.getDeliveryAttempt()}`);
};

/** Two handlers of a topic that note their deliveries, each with keys of its own. */
function handling(pay: Handle, mail: Handle, ofPay: object, ofMail: object): new () => object {
  @Controller()
  class Orders {
    @EventPattern<string>(rig.topic, kafkaHandler(ofPay))
    @Idempotent({ key: (id: string) => `pay ${id}`, store })
    pay(@Payload() id: string, @Ctx() context: KafkaContext): unknown {
      note('pay', id, context);
      return pay(id, context);
    }

    @EventPattern<string>(rig.topic, kafkaHandler(ofMail))
    @Idempotent({ key: (id: string) => `mail ${id[0]}`, store })
    mail(@Payload() id: string, @Ctx() context: KafkaContext): unknown {
      note('mail', id, context);
      return mail(id, context);
    }
  }
  return Orders;
}

const send = async (...values: string[]): Promise<void> => {
  const messages = values.map((value) => ({ value, headers: { x: '1', y: '1' } }));
  await (await rawProducer()).send({ topic: rig.topic, messages });
};

const count = (what: string): number => seen.filter((each) => each.startsWith(what)).length;

/** What the two ask of headers. */
describe.each([
  ['of a pattern', {}, {}],
  ['by their headers', { headers: { x: '1' } }, { headers: { y: '1' } }],
])('%s', (_, ofPay, ofMail) => {
  beforeEach(() => createTopics({ [rig.topic]: 1 }));

  test.each([
    ['refuses', (context: KafkaContext) => void context.nack()],
    [
      'fails on',
      () => {
        throw new Error('no');
      },
    ],
  ])(
    'a message that one %s is not handled again by the other one, which had it in hand',
    async (__, ends) => {
      const gate = new Gate();
      const mail: Handle = (___, context) => {
        if (context.getDeliveryAttempt() > 1) return;
        gate.open();
        ends(context);
      };
      await rig.serve(
        handling(() => gate.pass(), mail, ofPay, ofMail),
        options,
      );
      await send('a');
      await untilCommitted(rig.group, rig.topic, 1);
      expect(seen.toSorted()).toEqual(['mail a/1', 'mail a/2', 'pay a/1']);
      expect(store.claim('pay a', 1000).state).toBe('done');
      expect(store.claim('mail a', 1000).state).toBe('done');
    },
  );

  test.each([
    ['first', 'mail'],
    ['second', 'pay'],
  ])(
    'by hand, the %s one that has handled it before does not acknowledge it for the other one',
    async (__, known) => {
      const gate = new Gate();
      const other: Handle = async (___, context) => {
        // Behind the other one's answer that it is done already.
        await gate.pass();
        if (context.getDeliveryAttempt() === 1) throw new Error('no');
        context.ack();
      };
      const [pay, mail] = known === 'pay' ? [acknowledges, other] : [other, acknowledges];
      store.done(`${known} a`, 60_000, undefined);
      await rig.serve(handling(pay, mail, { ...ofPay, ...manual }, { ...ofMail, ...manual }), options);
      await send('a');
      await until('it is handled', () => seen.length === 1);
      gate.open();
      await untilCommitted(rig.group, rig.topic, 1);
      const name = known === 'pay' ? 'mail' : 'pay';
      expect(seen).toEqual([`${name} a/1`, `${name} a/2`]);
    },
  );

  test('by hand, one that both have handled before is acknowledged', async () => {
    await rig.serve(
      handling(acknowledges, acknowledges, { ...ofPay, ...manual }, { ...ofMail, ...manual }),
      options,
    );
    await send('a', 'a');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen.toSorted()).toEqual(['mail a/1', 'pay a/1']);
  });

  test('by hand, one that a handler acknowledges has not been handled by the other one that fails', async () => {
    const gate = new Gate();
    const pay: Handle = (__, context) => {
      context.ack();
      gate.open();
    };
    const mail: Handle = async () => {
      await gate.pass();
      if (count('mail') === 1) throw new Error('no');
    };
    await rig.serve(handling(pay, mail, { ...ofPay, ...manual }, { ...ofMail, ...manual }), options);
    await send('a', 'ab');
    await untilCommitted(rig.group, rig.topic, 2);
    await until('both have the second', () => seen.length === 4);
    expect(seen.toSorted()).toEqual(['mail a/1', 'mail ab/1', 'pay a/1', 'pay ab/1']);
  });

  test('by hand, one that a handler refuses comes again to the other one, which waits for its acknowledgement', async () => {
    const gate = new Gate();
    const pay: Handle = (__, context) => {
      if (context.getDeliveryAttempt() > 1) context.ack();
      else setImmediate(() => gate.open());
    };
    const mail: Handle = async (__, context) => {
      await gate.pass();
      if (context.getDeliveryAttempt() === 1) context.nack();
    };
    await rig.serve(handling(pay, mail, { ...ofPay, ...manual }, { ...ofMail, ...manual }), options);
    await send('a', 'a');
    await untilCommitted(rig.group, rig.topic, 2);
    expect(seen.toSorted()).toEqual(['mail a/1', 'mail a/2', 'pay a/1', 'pay a/2']);
  });
});
