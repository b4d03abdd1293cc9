import { type ArgumentsHost, Catch, Controller, UseFilters, UseInterceptors } from '@nestjs/common';
import { EventPattern, KafkaRetriableException, MessagePattern, RpcException } from '@nestjs/microservices';
import { ClientKafka } from 'nestjs-kafka-native';
import { throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { optionsFor } from '../harness/apps';
import { createTopics, untilCommitted } from '../harness/broker';
import { outcome } from '../harness/outcome';
import { Gate, pause, until } from '../harness/wait';
import { attemptOf, consumerOf, nextEvent, numbered, Rig, SOON } from './rig';

const rig = new Rig('redelivery');

/** After so many turns of the microtask queue, so that others have had theirs, computes for so long. */
async function compute(turns: number, milliseconds: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await undefined;
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

const once = { initialRetryTime: 20, maxRetryTime: 40, retries: 1 };

describe('E3 what brings a message again', () => {
  const kinds: Record<string, () => unknown> = {
    'a thrown error': () => {
      throw new Error('thrown');
    },
    'a rejection': () => Promise.reject(new Error('rejected')),
    'an Observable that errors': () => throwError(() => new Error('streamed')),
    'an RpcException': () => {
      throw new RpcException('refused');
    },
    'a KafkaRetriableException': () => {
      throw new KafkaRetriableException('again');
    },
    'something that is no error': () => Promise.reject('text'),
  };

  test.each(Object.entries(kinds))('%s out of an event handler', async (_, fail) => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    await rig.serve(
      (data: string) => {
        seen.push(data);
        return data === '0:1' && seen.length < 4 ? fail() : undefined;
      },
      { consumer: { retry: SOON } },
    );
    await rig.write(...numbered(0, 3));
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen).toEqual(['0:0', '0:1', '0:1', '0:1', '0:2']);
  });

  test('one handler at a time, though the redelivery is due before its turn of the event loop is over', async () => {
    await createTopics({ [rig.topic]: 3 });
    const seen: string[] = [];
    let [entered, running] = [0, 0];
    const gate = new Gate();
    await rig.serve(
      async (data: string, context) => {
        const isFirst = data.endsWith(':0') && attemptOf(context) === 1;
        if (isFirst) {
          // All go on behind the timers of one turn of the event loop: those of the next turn come first.
          entered += 1;
          if (entered === 3) setImmediate(() => gate.open());
          await gate.pass();
        }
        const partition = Number(data[0]);
        if (isFirst) await compute([0, 100, 400][partition] as number, [0, 50, 20][partition] as number);
        if (partition !== 1) return;
        if (isFirst) throw new Error('not yet');
        running += 1;
        seen.push(`${data} beside ${running - 1}`);
        await pause(20);
        running -= 1;
      },
      { consumer: { retry: { ...SOON, initialRetryTime: 1, maxRetryTime: 1 } } },
    );
    await rig.write('0:0', ...numbered(1, 2), '2:0');
    await untilCommitted(rig.group, rig.topic, 2, 1);
    expect(seen).toEqual(['1:0 beside 0', '1:1 beside 0']);
  });

  test('a TypeError out of a filter, and an error out of an interceptor', async () => {
    await createTopics({ [rig.topic]: 1 });
    const seen: string[] = [];
    @Catch()
    class Broken {
      catch(_: unknown, host: ArgumentsHost): unknown {
        return (host as any).nothing.such();
      }
    }
    class Refuses {
      intercept(context: any, next: any): unknown {
        if (context.switchToRpc().getData() === '0:2' && seen.filter((each) => each === '0:2').length < 2) {
          seen.push('0:2');
          throw new Error('not yet');
        }
        return next.handle();
      }
    }
    @Controller()
    @UseFilters(Broken)
    @UseInterceptors(Refuses)
    class Events {
      @EventPattern<string>(rig.topic)
      event(data: string): void {
        seen.push(data);
        if (data === '0:1' && seen.length < 4) throw new Error('to the filter');
      }
    }
    await rig.serve(Events, { consumer: { retry: SOON } });
    await rig.write(...numbered(0, 4));
    await untilCommitted(rig.group, rig.topic, 4);
    expect(seen).toEqual(['0:0', '0:1', '0:1', '0:1', '0:2', '0:2', '0:2', '0:3']);
  });

  test('a KafkaRetriableException out of a message handler; other errors answer', async () => {
    await createTopics({ [rig.topic]: 1, [`${rig.topic}.reply`]: 1 });
    let calls = 0;
    @Controller()
    class Requests {
      @MessagePattern(rig.topic)
      request(data: string): string {
        calls += 1;
        if (data === 'again' && calls < 3) throw new KafkaRetriableException('again');
        if (data === 'wrong') throw new RpcException('wrong');
        return data;
      }
    }
    await rig.serve(Requests, { consumer: { retry: SOON } });
    const client = rig.keep(new ClientKafka(optionsFor(rig.topic) as never));
    client.subscribeToResponseOf(rig.topic);
    await client.connect();
    expect(await outcome(client.send(rig.topic, 'again'))).toEqual({ values: ['again'], ended: 'completed' });
    expect(calls).toBe(3);
    expect(await outcome(client.send(rig.topic, 'wrong'))).toMatchObject({ ended: 'failed' });
    expect(calls).toBe(4);
  });
});

describe('E3 the wait', () => {
  test('the messages before the failing one are committed at once', async () => {
    await createTopics({ [rig.topic]: 1 });
    const gate = new Gate();
    let fails = true;
    await rig.serve(
      (data: string) => {
        if (data === '0:5' && fails) throw new Error('not yet');
      },
      {
        consumer: { retry: { initialRetryTime: 60_000, maxRetryTime: 60_000 } },
        run: { autoCommitInterval: 600_000 },
      },
    );
    await rig.write(...numbered(0, 10));
    await untilCommitted(rig.group, rig.topic, 5);
    fails = false;
    gate.open();
  });

  test('the attempts are as far apart as kafkajs makes them', async () => {
    await createTopics({ [rig.topic]: 1 });
    const at: number[] = [];
    await rig.serve(
      () => {
        at.push(performance.now());
        if (at.length < 4) throw new Error('not yet');
      },
      { consumer: { retry: { initialRetryTime: 200, factor: 0, multiplier: 2, retries: 5 } } },
    );
    await rig.write('0:0');
    await until('it is handled', () => at.length === 4);
    const waits = at.slice(1).map((time, i) => time - (at[i] as number));
    // A timer may fire a millisecond early; how late it fires is the machine's business.
    [200, 400, 800].forEach((wait, i) => expect(waits[i]).toBeGreaterThanOrEqual(wait - 2));
  });

  test.each([undefined, 1])(
    'a partition that fails for 10 s holds nobody up (partitionsConsumedConcurrently: %s)',
    async (partitionsConsumedConcurrently) => {
      await createTopics({ [rig.topic]: 2 });
      const until10 = performance.now() + 10_000;
      const latencies: number[] = [];
      let isDown = true;
      let handled = 0;
      let failures = 0;
      const extra = { consumer: { retry: { retries: 100, maxRetryTime: 1000 } } };
      await rig.serve(
        (data: string) => {
          if (data.startsWith('0:')) {
            if (isDown) {
              failures += 1;
              throw new Error('down');
            }
            handled += 1;
            return;
          }
          latencies.push(performance.now() - Number(data.split(':')[1]));
        },
        partitionsConsumedConcurrently ? { ...extra, run: { partitionsConsumedConcurrently } } : extra,
      );
      await rig.write('0:poison');
      await until('it fails', () => failures > 0);
      let written = 0;
      while (performance.now() < until10) {
        await rig.write(`1:${performance.now()}`);
        written += 1;
        await pause(50);
      }
      await until('all others are handled', () => latencies.length === written);
      isDown = false;
      await until('the partition goes on', () => handled === 1);
      latencies.sort((a, b) => a - b);
      const [median, most] = [latencies[written >> 1], latencies.at(-1) as number];
      process.stdout.write(
        `beside a partition failing for 10 s: ${written} messages, median ${median?.toFixed(1)} ms, most ${most.toFixed(1)} ms\n`,
      );
      expect(failures).toBeGreaterThan(3);
    },
  );

  test('resuming one partition does not shorten the wait of another', async () => {
    await createTopics({ [rig.topic]: 2 });
    const failed: number[] = [];
    const seen: string[] = [];
    const running = await rig.serve(
      (data: string) => {
        if (data === '0:0' && failed.length < 2) {
          failed.push(performance.now());
          throw new Error('not yet');
        }
        seen.push(data);
      },
      { consumer: { retry: { initialRetryTime: 1500, factor: 0, retries: 5 } } },
    );
    await rig.write('0:0');
    await until('it has failed', () => failed.length === 1);
    const consumer = consumerOf(running);
    consumer.pause([{ topic: rig.topic, partitions: [1] }]);
    await rig.write('1:0');
    consumer.resume([{ topic: rig.topic, partitions: [1] }]);
    await until('the other is handled', () => seen.includes('1:0'));
    await until('it has failed again', () => failed.length === 2);
    expect((failed[1] as number) - (failed[0] as number)).toBeGreaterThanOrEqual(1498);
  });

  test('a pause in the handler and a throw: it comes again after the resume, and no attempt is counted', async () => {
    await createTopics({ [rig.topic]: 2 });
    const attempts: number[] = [];
    const seen: string[] = [];
    const running = await rig.serve(
      (data: string, context) => {
        if (data === '0:0') {
          attempts.push(attemptOf(context));
          if (attempts.length < 3) {
            context.getConsumer().pause([{ topic: rig.topic, partitions: [0] }]);
            throw new Error('paused');
          }
        }
        seen.push(data);
      },
      { consumer: { retry: { initialRetryTime: 20, retries: 0 } } },
    );
    const consumer = consumerOf(running);
    await rig.write('0:0', '0:1');
    for (const times of [1, 2]) {
      await until('it is paused', () => attempts.length === times && consumer.paused().length === 1);
      await rig.write(`1:${times}`);
      await until('the others go on', () => seen.includes(`1:${times}`));
      expect(attempts).toHaveLength(times);
      consumer.resume([{ topic: rig.topic, partitions: [0] }]);
    }
    await until('the rest is handled', () => seen.includes('0:1'));
    expect(attempts).toEqual([1, 1, 1]);
    expect(running.statuses).not.toContain('crashed');
  });
});

describe('E3 the crash', () => {
  test('after the retries: event, status, restart, and the message again', async () => {
    await createTopics({ [rig.topic]: 2 });
    const seen: string[] = [];
    const attempts: number[] = [];
    const running = await rig.serve(
      (data: string, context) => {
        if (data === '0:1') {
          attempts.push(attemptOf(context));
          if (attempts.length < 6) throw new Error('down');
        }
        seen.push(data);
      },
      { consumer: { retry: { ...once, retries: 2 } } },
    );
    const crash = nextEvent(running, 'consumer.crash');
    await rig.write('0:0', '0:1', '0:2', '1:0');
    expect(await crash).toMatchObject({ restart: true, error: { name: 'KafkaJSNumberOfRetriesExceeded' } });
    await untilCommitted(rig.group, rig.topic, 3);
    expect(seen.toSorted()).toEqual(['0:0', '0:1', '0:2', '1:0']);
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6]);
    expect(running.statuses.filter((status) => status === 'crashed')).toHaveLength(1);
    await until('it is connected again', () => running.statuses.at(-1) === 'connected');
  });

  test('no restart where restartOnFailure says so; close() ends in time', async () => {
    await createTopics({ [rig.topic]: 1 });
    const asked: string[] = [];
    const restartOnFailure = (error: Error): Promise<boolean> => {
      asked.push(error.name);
      return Promise.resolve(false);
    };
    let calls = 0;
    const running = await rig.serve(
      () => {
        calls += 1;
        throw new Error('down');
      },
      { consumer: { retry: { ...once, restartOnFailure } } },
    );
    const crash = nextEvent(running, 'consumer.crash');
    await rig.write('0:0');
    expect(await crash).toMatchObject({ restart: false });
    await until('the status says so', () => running.statuses.at(-1) === 'crashed');
    await pause(500);
    expect([asked, calls]).toEqual([['KafkaJSNumberOfRetriesExceeded'], 2]);
    await running.close();
  });

  test('a close while the consumer waits for its restart stays closed', async () => {
    await createTopics({ [rig.topic]: 1 });
    let calls = 0;
    const running = await rig.serve(
      () => {
        calls += 1;
        throw new Error('down');
      },
      { consumer: { retry: { initialRetryTime: 400, factor: 0, retries: 0 } } },
    );
    const crash = nextEvent(running, 'consumer.crash');
    await rig.write('0:0');
    await crash;
    await running.close();
    const before = calls;
    await pause(1500);
    expect(calls).toBe(before);
  });
});
