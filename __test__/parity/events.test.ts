import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, type KafkaContext, MessagePattern, Payload } from '@nestjs/microservices';
import { delay, of } from 'rxjs';
import { describe, expect } from 'vitest';
import { logs } from '../harness/logs';
import { outcome } from '../harness/outcome';
import type { Side } from '../harness/side';
import { pause, until } from '../harness/wait';
import { scenario, world } from '../harness/world';

/** The combination's topics that match `source`, as a RegExp with flags. */
function pattern(side: Side, source: string, flags?: string): RegExp {
  return new RegExp(`^${side.prefix.replaceAll('.', '\\.')}\\.${source}$`, flags);
}

function controllers(side: Side): Type[] {
  const see = (handler: string, data: unknown, context: KafkaContext): void => {
    const { key, headers } = context.getMessage();
    side.see(handler, { data, topic: context.getTopic(), key, headers });
  };

  @Controller()
  class First {
    @EventPattern<string>(side.topic('event'))
    event(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
      see('event', data, context);
    }

    @EventPattern<string>(side.topic('shared'))
    async shared(@Payload() data: unknown, @Ctx() context: KafkaContext): Promise<void> {
      await pause(5);
      see('first', data, context);
    }

    @MessagePattern(side.topic('message'))
    message(@Payload() data: unknown, @Ctx() context: KafkaContext): string {
      see('message', data, context);
      return 'a result nobody waits for';
    }

    @EventPattern<string>(side.topic('stream'))
    stream(@Payload() data: unknown, @Ctx() context: KafkaContext): unknown {
      see('stream', data, context);
      return of('ignored', 'values').pipe(delay(5));
    }

    @EventPattern<RegExp>(pattern(side, 'ANIMALS\\.(cat|dog)', 'i'))
    animals(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
      see('animals', data, context);
    }

    @EventPattern<RegExp>(pattern(side, 'plant\\..*', 'u'))
    plants(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
      see('plants', data, context);
    }

    @EventPattern<string>(side.topic('plant.named'))
    named(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
      see('named', data, context);
    }

    @MessagePattern<RegExp>(pattern(side, 'ask\\.(?<who>\\w+)'))
    ask(@Payload() data: unknown, @Ctx() context: KafkaContext): unknown {
      return { asked: context.getTopic(), data };
    }
  }

  @Controller()
  class Second {
    @EventPattern<string>(side.topic('shared'))
    shared(@Payload() data: unknown, @Ctx() context: KafkaContext): void {
      see('second', data, context);
    }
  }
  return [First, Second];
}

const all = world({
  topics: {
    event: 1,
    shared: 1,
    message: 1,
    stream: 1,
    'animals.cat': 1,
    'animals.dog': 1,
    'animals.fish': 1,
    'plant.oak': 1,
    'plant.named': 1,
    'ask.anna': 1,
  },
  replies: ['ask.anna'],
  controllers,
});

describe('D4 events', () => {
  scenario(
    all,
    'emit delivers every message in order, and hands back what was written',
    async (side) => {
      const client = await side.client();
      const first = await outcome(client.emit(side.topic('event'), 'first'));
      for (let index = 0; index < 50; index += 1) await side.emit('event', { index });
      return { first, handled: await side.take('event', 51) };
    },
    (picture) => {
      expect(picture).toMatchObject({
        first: { ended: 'completed', values: [[{ topicName: 'event', partition: 0, errorCode: 0 }]] },
        handled: [{ data: 'first' }, ...Array.from({ length: 50 }, (_, index) => ({ data: { index } }))],
      });
    },
  );

  scenario(
    all,
    'emit is sent without a subscriber',
    async (side) => {
      (await side.client()).emit(side.topic('event'), 'not subscribed');
      return side.take('event', 1);
    },
    (picture) => {
      expect(picture).toMatchObject([{ data: 'not subscribed' }]);
    },
  );

  scenario(
    all,
    'emitBatch writes all messages',
    async (side) => {
      const client = await side.client();
      const messages = ['text', { id: 1 }, { key: 'k', value: { id: 2 }, headers: { a: 'b' } }, [3]];
      const emitted = await outcome(client.emitBatch(side.topic('event'), { messages }));
      const empty = await outcome(client.emitBatch(side.topic('event'), { messages: [] }));
      return { ended: emitted.ended, empty, handled: await side.take('event', 4) };
    },
    (picture) => {
      expect(picture).toMatchObject({
        ended: 'completed',
        empty: { ended: 'completed' },
        handled: [
          { data: 'text' },
          { data: { id: 1 } },
          { key: 'k', headers: { a: 'b' } },
          { data: ['3'].map(Number) },
        ],
      });
    },
  );

  scenario(
    all,
    'every handler of an event gets it',
    async (side) => {
      await side.emit('shared', 'for both');
      return [await side.take('first', 1), await side.take('second', 1)];
    },
    (picture) => {
      expect(picture).toMatchObject([[{ data: 'for both' }], [{ data: 'for both' }]]);
    },
  );

  scenario(
    all,
    'an event for a message handler is handled without a reply',
    async (side) => {
      await side.emit('message', { id: 1 });
      return side.take('message', 1);
    },
    (picture) => {
      expect(picture).toMatchObject([{ data: { id: 1 }, headers: {} }]);
    },
  );

  scenario(
    all,
    'an event handler may return an Observable',
    async (side) => {
      await side.emit('stream', 1);
      await side.emit('stream', 2);
      return side.take('stream', 2);
    },
    (picture) => {
      expect(picture).toMatchObject([{ data: '1' }, { data: '2' }]);
    },
  );

  scenario(
    all,
    'RegExp patterns match topics, with their flags, behind exact names',
    async (side) => {
      const topics = ['animals.cat', 'animals.fish', 'animals.dog', 'plant.oak', 'plant.named'];
      for (const topic of topics) await side.emit(topic, `to ${topic}`);
      return {
        animals: await side.take('animals', 2),
        plants: await side.take('plants', 1),
        named: await side.take('named', 1),
        asked: await side.send('ask.anna', 'question'),
      };
    },
    (picture) => {
      expect(picture).toMatchObject({
        plants: [{ data: 'to plant.oak' }],
        named: [{ data: 'to plant.named' }],
        asked: { values: [{ asked: 'ask.anna', data: 'question' }], ended: 'completed' },
      });
    },
  );
});

const astray = world({
  topics: { known: 1 },
  replies: ['known'],
  controllers: (side) => {
    @Controller()
    class Known {
      @EventPattern<string>(side.topic('known'))
      known(@Payload() data: unknown): void {
        side.see('known', data);
      }
    }
    return [Known];
  },
  serverOptions: () => ({
    deserializer: {
      /** Sends messages that say so to a pattern nobody handles. */
      deserialize: ({ value }: { value: unknown }, options?: { channel?: string }) => ({
        pattern: value === 'astray' ? `${options?.channel}.nobody` : options?.channel,
        data: value,
      }),
    },
  }),
});

describe('D4 and R3 messages without a handler', () => {
  scenario(
    astray,
    'an event is logged, a request gets an error, the next message is handled',
    async (side) => {
      const logged = (): string[] => logs.matching('error', side.topic('known.nobody'));
      await side.emit('known', 'astray');
      await until('the event without handler is logged', () => logged().length > 0);
      const refused = await side.send('known', 'astray');
      await side.emit('known', 'on its way');
      return { refused, logged: logged(), handled: await side.take('known', 1) };
    },
    (picture) => {
      expect(picture).toMatchObject({
        refused: {
          ended: 'failed',
          error: 'There is no matching message handler defined in the remote service.',
        },
        logged: [expect.stringContaining('There is no matching event handler defined in the remote service')],
        handled: ['on its way'],
      });
    },
  );
});
