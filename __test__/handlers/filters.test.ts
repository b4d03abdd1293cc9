import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { BatchPattern, ClientKafka, kafkaHandler, type KafkaHandlerOptions } from 'nestjs-kafka-native';
import { describe, expect, test, vi } from 'vitest';
import { consumerOf, Rig } from '../delivery/rig';
import { createTopics, rawProducer, untilCommitted } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { logs } from '../harness/logs';
import { Gate, until } from '../harness/wait';

const rig = new Rig('filters');

type Headers = Record<string, string | Buffer | (string | Buffer)[]>;

async function write(...records: [value: string, headers: Headers][]): Promise<void> {
  const messages = records.map(([value, headers]) => ({ partition: 0, value, headers }));
  await (await rawProducer()).send({ topic: rig.topic, messages });
}

/** A controller of one handler. */
function on(
  headers: KafkaHandlerOptions['headers'],
  seen: string[],
  more: KafkaHandlerOptions = {},
): new () => object {
  const options = headers ? { ...more, headers } : more;
  @Controller()
  class Handler {
    @EventPattern<string>(rig.topic, kafkaHandler(options))
    handle(@Payload() value: string): void {
      seen.push(value);
    }
  }
  return Handler;
}

describe('handlers of one topic, by headers', () => {
  test('get each what is theirs, and one without headers the rest', async () => {
    await createTopics({ [rig.topic]: 1 });
    const [created, changed, rest]: string[][] = [[], [], []];
    @Controller()
    class Both {
      @EventPattern<string>(rig.topic)
      rest(@Payload() value: string): void {
        rest?.push(value);
      }

      @EventPattern<string>(rig.topic, kafkaHandler({ headers: { type: 'Created' } }))
      created(@Payload() value: string): void {
        created?.push(value);
      }

      @EventPattern<string>(
        rig.topic,
        kafkaHandler({ headers: { type: ['Changed', 'Moved'], tenant: null } }),
      )
      changed(@Payload() value: string): void {
        changed?.push(value);
      }
    }
    await rig.serve(Both);
    await write(
      ['1', { type: 'Created' }],
      ['2', { type: 'Changed' }],
      ['3', { type: 'Moved', tenant: '7' }],
      ['4', {}],
      ['5', { type: ['Other', 'Created'] }],
      ['6', { type: '' }],
      ['7', { type: Buffer.from([0, 255]) }],
      ['8', { type: 'Moved', other: 'x' }],
    );
    await untilCommitted(rig.group, rig.topic, 8);
    expect([created, changed, rest]).toEqual([
      ['1', '5'],
      ['2', '8'],
      ['3', '4', '6', '7'],
    ]);
  });

  test('what nobody takes counts as handled, is counted, and makes no noise', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    const running = await rig.serve(on({ type: 'A' }, seen));
    await write(
      ...Array.from({ length: 50 }, (_, n): [string, Headers] => [String(n), { type: n % 10 ? 'B' : 'A' }]),
    );
    await untilCommitted(rig.group, rig.topic, 50);
    expect(seen).toEqual(['0', '10', '20', '30', '40']);
    expect(consumerOf(running).filtered()).toEqual({ [rig.topic]: 45 });
    expect(logs.matching('error', rig.topic)).toEqual([]);
    // Nothing at all for JavaScript: the core commits by itself.
    await write(['x', { type: 'B' }], ['y', {}]);
    await untilCommitted(rig.group, rig.topic, 52);
    expect(seen).toHaveLength(5);
    expect(consumerOf(running).filtered()).toEqual({ [rig.topic]: 47 });
  });

  test('what was filtered is counted once, also while the consumer closes', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    @Controller()
    class Slow {
      @EventPattern<string>(rig.topic, kafkaHandler({ headers: { type: 'A' } }))
      handle(): Promise<void> {
        return gate.pass();
      }
    }
    const running = await rig.serve(Slow);
    await write(['1', {}], ['2', {}], ['3', { type: 'A' }]);
    const consumer = consumerOf(running);
    await until('two are filtered', () => consumer.filtered()[rig.topic] === 2);
    const disconnect = vi.spyOn(consumer, 'disconnect');
    const closed = running.close();
    await until('it closes', () => disconnect.mock.calls.length > 0);
    await new Promise(setImmediate);
    expect(consumer.filtered()).toEqual({ [rig.topic]: 2 });
    gate.open();
    await closed;
    expect(consumer.filtered()).toEqual({ [rig.topic]: 2 });
  });

  test('all that match are called, also of several controllers', async () => {
    await createTopics({ [rig.topic]: 1 });
    const [type, tenant, same]: string[][] = [[], [], []];
    @Controller()
    class One {
      @EventPattern<string>(rig.topic, kafkaHandler({ headers: { type: 'A' } }))
      type(@Payload() value: string): void {
        type?.push(value);
      }

      @EventPattern<string>(rig.topic, kafkaHandler({ headers: { tenant: '7' } }))
      tenant(@Payload() value: string): void {
        tenant?.push(value);
      }

      @EventPattern<string>(rig.topic, kafkaHandler({ headers: { type: 'A' } }))
      same(@Payload() value: string): void {
        same?.push(value);
      }
    }
    await rig.serve(One);
    await write(['1', { type: 'A' }], ['2', { type: 'A', tenant: '7' }], ['3', { tenant: '7' }], ['4', {}]);
    await untilCommitted(rig.group, rig.topic, 4);
    expect([type, tenant, same]).toEqual([
      ['1', '2'],
      ['2', '3'],
      ['1', '2'],
    ]);
  });

  test('a batch that cannot grow, because another handler’s message follows, does not wait for maxWait', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[][] = [];
    @Controller()
    class Both {
      @BatchPattern(rig.topic, { maxWait: 60_000 }, { headers: { type: 'A' } })
      ofA(@Payload() values: string[]): void {
        seen.push(values);
      }

      @BatchPattern(rig.topic, { maxWait: 60_000 }, { headers: { type: 'B' } })
      ofB(@Payload() values: string[]): void {
        seen.push(values);
      }
    }
    await rig.serve(Both);
    const types = ['A', 'A', 'B', 'A', 'B', 'B', 'B', 'A'];
    await write(...types.map((type, index): [string, Headers] => [`${type}${index}`, { type }]));
    await untilCommitted(rig.group, rig.topic, 7);
    // The last one may grow.
    expect(seen).toEqual([['A0', 'A1'], ['B2'], ['A3'], ['B4', 'B5', 'B6']]);
    await write(['B8', { type: 'B' }]);
    await untilCommitted(rig.group, rig.topic, 8);
    expect(seen.at(-1)).toEqual(['A7']);
  });

  test('requests too; one that nobody takes is answered so', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    @Controller()
    class Asking {
      @MessagePattern(rig.topic, kafkaHandler({ headers: { version: '1' } }))
      first(@Payload() value: string): string {
        return `first ${value}`;
      }

      @MessagePattern(rig.topic, kafkaHandler({ headers: { version: '2' } }))
      second(@Payload() value: string): string {
        return `second ${value}`;
      }
    }
    await rig.serve(Asking);
    const client = rig.keep(new ClientKafka(rig.options()));
    client.subscribeToResponseOf(rig.topic);
    await client.connect();
    const ask = (headers: Record<string, string>): Promise<unknown> =>
      outcome(client.send(rig.topic, { value: 'x', headers }));
    expect(JSON.stringify(await ask({ version: '1' }))).toContain('first x');
    expect(JSON.stringify(await ask({ version: '2' }))).toContain('second x');
    expect(JSON.stringify(await ask({ version: '3' }))).toContain('There is no matching message handler');
    await untilCommitted(rig.group, rig.topic, 3);
  });

  test('each with options of its own, and by key', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const attempts: string[] = [];
    @Controller()
    class Own {
      @EventPattern<string>(
        rig.topic,
        kafkaHandler({
          headers: { type: 'A' },
          concurrency: { order: 'key' },
          deadLetter: { maxAttempts: 1 },
        }),
      )
      once(@Payload() value: string): void {
        attempts.push(value);
        throw new Error('no');
      }

      @EventPattern<string>(
        rig.topic,
        kafkaHandler({ headers: { type: 'B' }, deadLetter: { maxAttempts: 2 } }),
      )
      twice(@Payload() value: string): void {
        attempts.push(value);
        throw new Error('no');
      }
    }
    await rig.serve(Own, { consumer: { retry: { initialRetryTime: 20 } } });
    await write(['a', { type: 'A' }], ['b', { type: 'B' }], ['c', { type: 'C' }]);
    await untilCommitted(rig.group, rig.topic, 3);
    expect(attempts.toSorted()).toEqual(['a', 'b', 'b']);
  });

  test('with the options of all that match', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.DLT`]: 1 });
    const attempts: string[] = [];
    @Controller()
    class Both {
      @EventPattern<string>(
        rig.topic,
        kafkaHandler({ headers: { type: 'A' }, deadLetter: { maxAttempts: 2 } }),
      )
      first(@Payload() value: string): void {
        attempts.push(`first ${value}`);
        throw new Error('no');
      }

      @EventPattern<string>(
        rig.topic,
        kafkaHandler({ headers: { tenant: '7' }, retry: { initialRetryTime: 20 } }),
      )
      second(@Payload() value: string): void {
        attempts.push(`second ${value}`);
      }
    }
    await rig.serve(Both);
    await write(['a', { type: 'A', tenant: '7' }], ['b', { tenant: '7' }]);
    await untilCommitted(rig.group, rig.topic, 2);
    expect(attempts.toSorted()).toEqual(['first a', 'first a', 'second a', 'second a', 'second b']);
  });
});
