import { type ArgumentsHost, Catch, Controller, Logger, UseFilters } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { Ctx, EventPattern, KafkaContext, Payload } from '@nestjs/microservices';
import { expect, test } from 'vitest';
import { createTopics, untilCommitted } from '../harness/broker';
import { until } from '../harness/wait';
import { attemptOf, nextEvent, Rig } from './rig';

// The filter of NestJS's documentation, in its structure: an asynchronous catch(), the number of retries read from the message's
// headers, a skip handler, a commit of offset + 1 through the context's consumer, and super.catch(), which throws a TypeError here:
// BaseExceptionFilter is made for HTTP.

@Catch()
class GivesUpAfter extends BaseExceptionFilter {
  private readonly logger = new Logger(GivesUpAfter.name);

  constructor(
    private readonly limit: number,
    private readonly skipped?: (message: any) => Promise<void>,
  ) {
    super();
  }

  override async catch(exception: unknown, host: ArgumentsHost): Promise<void> {
    const context = host.switchToRpc().getContext<KafkaContext>();
    const message = context.getMessage();
    if (this.retriesOf(context) < this.limit) {
      // oxlint-disable-next-line promise/valid-params -- a filter's method, not a promise's
      super.catch(exception, host);
      return;
    }
    this.logger.warn(`${this.limit} retries of ${JSON.stringify(message)}`);
    try {
      await this.skipped?.(message);
    } catch (error) {
      this.logger.error('the skip handler failed', error);
    }
    try {
      await this.goOnBehind(context);
    } catch (error) {
      this.logger.error('the commit failed', error);
    }
  }

  private retriesOf(context: KafkaContext): number {
    const headers: Record<string, any> = context.getMessage().headers ?? {};
    const count = headers['retryCount'] || headers['retry-count'];
    return count ? Number(count) : 0;
  }

  private async goOnBehind(context: KafkaContext): Promise<void> {
    const consumer = context.getConsumer();
    const { offset } = context.getMessage();
    await consumer.commitOffsets([
      {
        topic: context.getTopic(),
        partition: context.getPartition(),
        offset: (Number(offset) + 1).toString(),
      },
    ]);
  }
}

const rig = new Rig('max-retry');

async function poison(
  limit: number,
  consumer: object,
  run: object = {},
): Promise<{ seen: string[]; skipped: any[]; attempts: number[]; crashes: number }> {
  await createTopics({ [rig.topic]: 1 });
  const seen: string[] = [];
  const skipped: any[] = [];
  const attempts: number[] = [];
  @Controller()
  @UseFilters(new GivesUpAfter(limit, async (message) => void skipped.push(message)))
  class Events {
    @EventPattern<string>(rig.topic)
    event(@Payload() data: string, @Ctx() context: KafkaContext): void {
      seen.push(data);
      if (data !== '0:poison') return;
      attempts.push(attemptOf(context));
      throw new Error('cannot be handled');
    }
  }
  const running = await rig.serve(Events, { consumer, run });
  const commits: string[] = [];
  running.server.unwrap()[1].on('consumer.commit_offsets', (event: any) => {
    commits.push(event.payload.topics[0].partitions[0].offset);
  });
  await rig.write('0:fine', '0:poison', '0:after');
  await until('the partition goes on', () => seen.includes('0:after'));
  await until('offset + 1 was committed', () => commits.includes('2'));
  const crashes = running.statuses.filter((status) => status === 'crashed').length;
  return { seen, skipped, attempts, crashes };
}

test('E4 counts the attempts, calls the skip handler once, commits offset + 1, and the partition goes on', async () => {
  const { seen, skipped, attempts, crashes } = await poison(3, { retry: { initialRetryTime: 20 } });
  await untilCommitted(rig.group, rig.topic, 3);
  expect(seen).toEqual(['0:fine', '0:poison', '0:poison', '0:poison', '0:poison', '0:after']);
  expect(attempts).toEqual([1, 2, 3, 4]);
  expect(skipped).toHaveLength(1);
  expect(skipped[0]).toMatchObject({ offset: '1', value: '0:poison', headers: { retryCount: '3' } });
  expect(crashes).toBe(0);
});

test('E4 with the options of the documentation and kafkajs’s default of 5 retries', async () => {
  const { seen, skipped, crashes } = await poison(5, { retry: { initialRetryTime: 20 } });
  expect(seen.filter((data) => data === '0:poison')).toHaveLength(6);
  expect([skipped.length, crashes]).toEqual([1, 0]);
});

test('E4 a limit above the consumer’s retries is reached all the same: attempts outlast the restart', async () => {
  const { seen, skipped, attempts, crashes } = await poison(6, {
    retry: { initialRetryTime: 20, retries: 2 },
  });
  expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(seen.at(-1)).toBe('0:after');
  expect([skipped.length, crashes]).toEqual([1, 2]);
});

test('E4 with autoCommit: false only the filter commits', async () => {
  const { skipped } = await poison(1, { retry: { initialRetryTime: 20 } }, { autoCommit: false });
  expect(skipped).toHaveLength(1);
  expect(await rig.committed()).toEqual({ 0: 2 });
});

test('E4 attempts outlast a rebalance that brings the partition back', async () => {
  await createTopics({ [rig.topic]: 2 });
  const attempts: number[][] = [[], []];
  const failing =
    (instance: 0 | 1) =>
    (data: string, context: KafkaContext): void => {
      if (data !== '0:poison') return;
      attempts[instance]!.push(attemptOf(context));
      throw new Error('cannot be handled');
    };
  const consumer = { retry: { initialRetryTime: 50, maxRetryTime: 100, retries: 1000 } };
  const first = await rig.serve(failing(0), { consumer });
  await rig.write('0:poison');
  await until('it has failed three times', () => attempts[0]!.length >= 3);
  const joined = nextEvent(first, 'consumer.group_join');
  const second = await rig.serve(failing(1), { consumer });
  await joined;
  const back = nextEvent(first, 'consumer.group_join');
  await second.close();
  await back;
  const before = attempts[0]!.length;
  await until('it fails on', () => attempts[0]!.length >= before + 3);
  expect(attempts[0]).toEqual(Array.from(attempts[0] ?? [], (_, index) => index + 1));
});
