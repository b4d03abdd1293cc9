import { BadRequestException } from '@nestjs/common';
import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { describe, expect, test } from 'vitest';
import { describeError, isHopeless } from '../../lib/nest/server/dead-letter';
import { isFromWorker, receivedError, sentError } from '../../lib/nest/workers/sent-error';

class StockError extends Error {}
class OutOfStock extends StockError {
  override name = 'OutOfStock';
  article = 'lamp';
  connection = { query: () => undefined };
}

/** What the other thread makes of what is thrown here. */
const across = (thrown: unknown): any => receivedError(structuredClone(sentError(thrown)));

/** Whether it is not delivered again. */
function hopeless(notRetried: any[], thrown: unknown): boolean {
  const error = across(thrown);
  return isHopeless({ notRetried }, { error, outcome: error, attempt: 1 });
}

describe('an error', () => {
  test('keeps name, message, stack, cause and own properties that can be cloned', () => {
    const thrown = new OutOfStock('no lamp left', { cause: new TypeError('empty') });
    const received = across(thrown);
    expect(received).toBeInstanceOf(Error);
    expect(received).toMatchObject({ name: 'OutOfStock', message: 'no lamp left', article: 'lamp' });
    expect(received.stack).toBe(thrown.stack);
    expect(received.cause).toMatchObject({ name: 'TypeError', message: 'empty' });
    expect(received).not.toHaveProperty('connection');
    expect(describeError(received)).toEqual(describeError(thrown));
    expect(isFromWorker(received)).toBe(true);
    expect(isFromWorker(thrown)).toBe(false);
  });

  test('is of its classes for notRetried, by their names', () => {
    expect(hopeless([StockError], new OutOfStock())).toBe(true);
    expect(hopeless(['StockError'], new OutOfStock())).toBe(true);
    expect(hopeless([OutOfStock], new StockError())).toBe(false);
    expect(hopeless([RangeError], new OutOfStock())).toBe(false);
  });

  test('of HTTP keeps its status, and its reasons', () => {
    const received = across(new BadRequestException(['name is empty', 'age is none']));
    expect(isHopeless({}, { error: received, outcome: received, attempt: 1 })).toBe(true);
    expect(describeError(received).message).toContain('name is empty; age is none');
  });

  test("of NestJS's RPC is one again", () => {
    const received = across(new RpcException({ code: 'E_LAMP' }));
    expect(received).toBeInstanceOf(RpcException);
    expect(received).not.toBeInstanceOf(KafkaRetriableException);
    expect(received.getError()).toEqual({ code: 'E_LAMP' });
    const retriable = across(new KafkaRetriableException('later'));
    expect(retriable).toBeInstanceOf(KafkaRetriableException);
    expect(RpcException.prototype.getError.call(retriable)).toBe('later');
  });

  test('that refers to itself, cannot be read, or has causes without end arrives all the same', () => {
    const circular = new Error('circle');
    circular.cause = circular;
    expect(across(circular).message).toBe('circle');
    const unreadable = Object.defineProperty(new Error('hidden'), 'message', {
      get() {
        throw new Error('no');
      },
    });
    expect(across(unreadable)).toBe('An error that cannot be read: no');
  });
});

test.each([
  ['text', 'text'],
  [7, 7],
  [null, null],
  [undefined, undefined],
  [{ status: 'error' }, { status: 'error' }],
  [Symbol('odd'), 'Symbol(odd)'],
])('%s is no error, and arrives as %s', (thrown, received) => {
  expect(across(thrown)).toEqual(received);
});
