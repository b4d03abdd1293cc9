import {
  BadGatewayException,
  BadRequestException,
  Catch,
  Controller,
  type ExceptionFilter,
  Scope,
  type Type,
  UseFilters,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { EventPattern, KafkaRetriableException, Payload, RpcException } from '@nestjs/microservices';
import type { NestKafkaOptions } from 'nestjs-kafka-native';
import { throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { createTopics, untilCommitted } from './harness/broker';
import {
  dead,
  deadLetterTests,
  events,
  name,
  OutOfStock,
  serve,
  tap,
  topic,
  write,
} from './harness/dead-letters';
import { logs } from './harness/logs';
import { header, type RawRecord } from './harness/tap';

deadLetterTests();

/** Counts deliveries of 'bad', each thrown by `make`; answers how many there were before it was moved, and the record. */
async function deliveries(
  controller: (thrown: () => void) => Type,
  deadLetter: NestKafkaOptions['deadLetter'] = {},
): Promise<[number, string | undefined]> {
  await createTopics({ [topic]: 1, [dead]: 1 });
  const reader = await tap(dead);
  let count = 0;
  await serve(
    [
      controller(() => {
        count += 1;
      }),
    ],
    deadLetter,
  );
  await write('bad');
  const [record] = await reader.read(dead, 1);
  await untilCommitted(`${topic}-server`, topic, 1);
  return [count, name(record)];
}

function throwing(error: unknown): (thrown: () => void) => Type {
  return (thrown) =>
    events(() => {
      thrown();
      throw error;
    });
}

const streaming = (thrown: () => void): Type =>
  events(() => {
    thrown();
    return throwError(() => new BadRequestException('no'));
  });

const requestScoped = (thrown: () => void): Type => {
  @Controller({ scope: Scope.REQUEST })
  class Events {
    @EventPattern<string>(topic)
    event(): void {
      thrown();
      throw new BadRequestException('no');
    }
  }
  return Events;
};

const oneOfTwo = (thrown: () => void): Type => {
  @Controller()
  class Events {
    @EventPattern<string>(topic)
    fine(): void {
      thrown();
    }

    @EventPattern<string>(topic)
    broken(): void {
      throw new BadRequestException('no');
    }
  }
  return Events;
};

describe('an error that is not retried', () => {
  test.each([
    ['BadRequestException', new BadRequestException('no'), 1],
    ['RpcException', new RpcException(new BadRequestException('no')), 1],
    ['BadGatewayException', new BadGatewayException('later'), 3],
    ['KafkaRetriableException', new KafkaRetriableException('later'), 3],
    ['TypeError', new TypeError('x'), 3],
  ])('by default: %s', async (expected, error, count) => {
    expect(await deliveries(throwing(error))).toEqual([count, expected]);
  });

  test('may come out of an Observable', async () => {
    expect(await deliveries(streaming)).toEqual([1, 'BadRequestException']);
  });

  test('may come out of ValidationPipe, which says in the message what is wrong', async () => {
    await createTopics({ [topic]: 1, [dead]: 1 });
    const reader = await tap(dead);
    class Order {
      amount = 0;
    }
    const wrong = { property: 'amount', constraints: { isNumber: 'amount must be a number' } };
    const pipe = new ValidationPipe({
      validatorPackage: {
        validate: ({ amount }: Order) => (typeof amount === 'number' ? [] : [wrong]),
      } as never,
      transformerPackage: {
        plainToInstance: (type: Type, plain: object) => Object.assign(new type(), plain),
        classToPlain: (value: unknown) => value,
      } as never,
    });
    const seen: unknown[] = [];
    @Controller()
    class Orders {
      @UsePipes(pipe)
      @EventPattern<string>(topic)
      order(@Payload() order: Order): void {
        seen.push(order.amount);
      }
    }
    await serve([Orders]);
    await write('{"amount":"many"}', '{"amount":5}');
    const [record] = (await reader.read(dead, 1)) as [RawRecord];
    expect(name(record)).toBe('BadRequestException');
    expect(header(record, 'kafka_dlt-exception-message')).toBe(
      'Bad Request Exception: amount must be a number',
    );
    await untilCommitted(`${topic}-server`, topic, 2);
    expect(seen).toEqual([5]);
    expect(logs.matching('warn', topic)).toEqual([
      expect.stringContaining('it failed after 1 delivery with BadRequestException'),
    ]);
  });

  test('may come out of a controller that is made for each message', async () => {
    expect(await deliveries(requestScoped)).toEqual([1, 'BadRequestException']);
  });

  test('may have been changed by an exception filter', async () => {
    @Catch()
    class Hiding implements ExceptionFilter {
      catch(): unknown {
        return throwError(() => ({ hidden: true }));
      }
    }
    const controller = (thrown: () => void): Type => {
      @UseFilters(Hiding)
      @Controller()
      class Events {
        @EventPattern<string>(topic)
        event(): void {
          thrown();
          throw new BadRequestException('no');
        }
      }
      return Events;
    };
    expect(await deliveries(controller)).toEqual([1, 'BadRequestException']);
  });

  test('counts for the handler that threw it, where an event has several', async () => {
    expect(await deliveries(oneOfTwo)).toEqual([1, 'BadRequestException']);
  });

  test.each([
    ['a class', [OutOfStock], 1],
    ['a name', ['OutOfStock'], 1],
    ['a function', (error: unknown) => error instanceof OutOfStock, 1],
    ['other classes', [TypeError], 3],
    ['a function that throws', () => JSON.parse('{'), 3],
  ])('is what notRetried says: %s', async (_, notRetried, count) => {
    expect(await deliveries(throwing(new OutOfStock('no')), { notRetried })).toEqual([count, 'OutOfStock']);
  });
});
