import 'reflect-metadata';
import {
  BadGatewayException,
  BadRequestException,
  ForbiddenException,
  HttpException,
  ImATeapotException,
  type ArgumentsHost,
} from '@nestjs/common';
import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { lastValueFrom, of, throwError, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { validateNestOptions, type DeadLetterOptions } from '../../lib/nest/options/index.js';
import {
  deadLetterHeaders,
  deadLetterTopic,
  describeError,
  errorReply,
  isFinal,
  withoutTexts,
} from '../../lib/nest/server/dead-letter.js';
import { PackedKafkaContext } from '../../lib/nest/context/kafka-context.js';
import { originalError, watchExceptions } from '../../lib/nest/server/original-errors.js';
import { errorOf } from './options-harness.js';

class OutOfStock extends Error {}
class SoldOut extends OutOfStock {}

const INTERNAL = { status: 'error', message: 'Internal server error' };
const validationError = { property: 'name', constraints: { isString: 'name must be a string' } };
const origin = { topic: 'orders', partition: 2, offset: '7', timestamp: '1700000000000', appended: false };

const final = (error: unknown, options: DeadLetterOptions = {}, attempt = 1, outcome = error): boolean =>
  isFinal(options, { error, outcome, attempt });

const message = () => ({ topic: 'orders', key: 'k' });

const keyAndError = ({ key }: { key: string }, error: Error) => `${key}-${error.message}`;

const names = (error: unknown) =>
  Object.fromEntries(deadLetterHeaders([], origin, error).map(([name, value]) => [name, value]));

const host = (...args: unknown[]) => ({ getArgs: () => args }) as unknown as ArgumentsHost;

const failed = (result: unknown) =>
  lastValueFrom(result as Observable<unknown>).catch((error: unknown) => error);

const failure = (deadLetter: unknown) => errorOf(() => validateNestOptions('server', { deadLetter })).message;

describe('a failure', () => {
  it.each([
    [{}, 2, false],
    [{}, 3, true],
    [{}, 4, true],
    [{ maxAttempts: 1 }, 1, true],
    [{ maxAttempts: 5 }, 4, false],
    [{ maxAttempts: 5 }, 5, true],
  ])('with %o is final at delivery %i: %s', (options, attempt, expected) => {
    expect(final(new Error('x'), options, attempt)).toBe(expected);
  });

  it.each([
    [new BadRequestException(), true],
    [new ForbiddenException(), true],
    [new ImATeapotException(), true],
    [new HttpException('x', 499), true],
    [new HttpException('x', 399), false],
    [new BadGatewayException(), false],
    [new RpcException(new BadRequestException()), true],
    [new RpcException(new BadGatewayException()), false],
    [validationError, true],
    [{ property: 'a', children: [validationError] }, true],
    [[validationError, validationError], true],
    [new RpcException([validationError] as unknown as object), true],
    [[], false],
    [new RpcException('Forbidden resource'), false],
    [new TypeError('x'), false],
    [{ getStatus: () => 400 }, false],
    [INTERNAL, false],
    ['text', false],
    [undefined, false],
    [null, false],
  ])('%o is final at once by default: %s', (error, expected) => {
    expect(final(error)).toBe(expected);
  });

  it('is not final at once when a retry is asked for', () => {
    const asked = new KafkaRetriableException(new BadRequestException());
    expect(final(asked)).toBe(false);
    expect(final(new BadRequestException(), {}, 1, asked)).toBe(false);
    expect(final(asked, {}, 3)).toBe(true);
  });

  it('is judged by the original error and by what the filters made of it', () => {
    expect(final(new BadRequestException(), {}, 1, INTERNAL as never)).toBe(true);
    expect(final(new TypeError('x'), {}, 1, new BadRequestException())).toBe(true);
  });

  it.each([
    [[OutOfStock], new SoldOut(), true],
    [[SoldOut], new OutOfStock(), false],
    [['OutOfStock'], new SoldOut(), true],
    [['SoldOut'], new OutOfStock(), false],
    [['Custom'], Object.assign(new Error('x'), { name: 'Custom' }), true],
    [[HttpException], new RpcException(new BadGatewayException()), true],
    [['BadGatewayException'], new KafkaRetriableException(new BadGatewayException()), true],
    [[OutOfStock], new BadRequestException(), false],
    [[], new BadRequestException(), false],
    [['String'], 'text', false],
  ])('with notRetried %o, %o is final at once: %s', (notRetried, error, expected) => {
    expect(final(error, { notRetried })).toBe(expected);
  });

  it('is judged by a function of the original error', () => {
    const seen: unknown[] = [];
    const notRetried = (error: unknown) => {
      seen.push(error);
      return error instanceof OutOfStock;
    };
    expect(final(new SoldOut(), { notRetried }, 1, INTERNAL as never)).toBe(true);
    expect(final(new BadRequestException(), { notRetried })).toBe(false);
    expect(seen).toEqual([expect.any(SoldOut), expect.any(BadRequestException)]);
  });
});

describe('the topic', () => {
  it('is the message’s with .DLT, or the one that is given', async () => {
    expect(await deadLetterTopic(undefined, message, 'orders', new Error('x'))).toBe('orders.DLT');
    expect(await deadLetterTopic('graveyard', message, 'orders', new Error('x'))).toBe('graveyard');
  });

  it('may follow from the message and the error', async () => {
    expect(await deadLetterTopic(keyAndError, message, 'orders', new Error('x'))).toBe('k-x');
  });

  it.each([undefined, '', 5, null])('is not %o', async (named) => {
    await expect(deadLetterTopic((() => named) as never, message, 'orders', 0)).rejects.toThrow(
      'deadLetter.topic must answer the name of a topic; it answered',
    );
  });
});

describe('the headers', () => {
  it('keep the message’s own, in their order, and say why it failed and where it was', () => {
    const own = [
      ['b', Buffer.from([0, 255])],
      ['a', null],
      ['b', Buffer.from('2')],
      ['__proto__', Buffer.from('x')],
    ] as const;
    const headers = deadLetterHeaders(own, origin, new OutOfStock('none left'));
    expect(headers.slice(0, 4)).toEqual(own);
    expect(Object.fromEntries(headers.slice(4))).toEqual({
      'kafka_dlt-exception-fqcn': 'OutOfStock',
      'kafka_dlt-exception-message': 'none left',
      'kafka_dlt-exception-stacktrace': expect.stringMatching(/^Error: none left\n {4}at /),
      'kafka_dlt-original-topic': 'orders',
      'kafka_dlt-original-partition': '2',
      'kafka_dlt-original-offset': '7',
      'kafka_dlt-original-timestamp': '1700000000000',
      'kafka_dlt-original-timestamp-type': 'CreateTime',
    });
  });

  it('replace those of an earlier failure', () => {
    const first = deadLetterHeaders([['own', null]], { ...origin, topic: 'first' }, new Error('first'));
    const again = deadLetterHeaders(first as [string, Buffer][], origin, new Error('second'));
    expect(again).toHaveLength(first.length);
    expect(again).toContainEqual(['kafka_dlt-original-topic', 'orders']);
    expect(again).toContainEqual(['kafka_dlt-exception-message', 'second']);
  });

  it.each([
    [{ appended: true }, 'LogAppendTime'],
    [{ timestamp: '-1' }, 'NoTimestampType'],
  ])('know the timestamp of %o: %s', (where, type) => {
    const headers = deadLetterHeaders([], { ...origin, ...where }, 0);
    expect(headers).toContainEqual(['kafka_dlt-original-timestamp-type', type]);
  });

  it('bound the texts, and can do without them', () => {
    const headers = names(new Error('x'.repeat(100_000)));
    expect(String(headers['kafka_dlt-exception-message']).length).toBeLessThan(9000);
    expect(String(headers['kafka_dlt-exception-stacktrace']).length).toBeLessThan(9000);
    const short = withoutTexts(Object.entries(headers)).map(([name]) => name);
    expect(short).toHaveLength(6);
    expect(short).toContain('kafka_dlt-exception-fqcn');
  });
});

describe('an error in words', () => {
  it.each([
    [new SoldOut('x'), { name: 'SoldOut', message: 'x' }],
    [Object.assign(new Error('x'), { name: 'Custom' }), { name: 'Custom', message: 'x' }],
    [new TypeError('x'), { name: 'TypeError', message: 'x' }],
    [INTERNAL, { name: 'Object', message: 'Internal server error' }],
    [{ code: 5 }, { name: 'Object', message: '{ code: 5 }' }],
    [Object.create(null), { name: 'Object', message: '[Object: null prototype] {}' }],
    ['text', { name: 'string', message: 'text' }],
    [undefined, { name: 'undefined', message: 'undefined' }],
    [
      new BadRequestException(['a must be a string', 'b must be a number']),
      {
        name: 'BadRequestException',
        message: 'Bad Request Exception: a must be a string; b must be a number',
      },
    ],
  ])('%o', (error, expected) => {
    expect(describeError(error)).toMatchObject(expected);
  });

  it('may be anything, also one that cannot be read', () => {
    const odd = Object.assign(new Error('x'), { message: { en: 'x' }, name: 5, stack: null });
    expect(describeError(odd)).toMatchObject({ name: '5', message: "{ en: 'x' }", stack: '' });
    const angry = Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('do not read me');
      },
    });
    expect(describeError(angry)).toEqual({
      name: 'object',
      message: 'An error that cannot be read: do not read me',
    });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(describeError(proxy).message).toContain('An error that cannot be read');
  });

  it('lists its causes', () => {
    const { stack } = describeError(new Error('outer', { cause: new RpcException(new SoldOut('inner')) }));
    expect(stack).toMatch(/^Error: outer\n[^]*\nCaused by: Error: inner[^]*\nCaused by: Error: inner/);
    const circular = new Error('c');
    circular.cause = circular;
    expect(describeError(circular).stack?.match(/Caused by/g)).toHaveLength(5);
  });
});

describe('the reply to a request that is given up', () => {
  it.each([
    [new KafkaRetriableException('later'), { status: 'error', message: 'later' }],
    [new KafkaRetriableException({ code: 5 }), { code: 5 }],
    [new TypeError('secret'), INTERNAL],
    [undefined, INTERNAL],
  ])('%o', (outcome, reply) => {
    expect(errorReply(outcome)).toEqual(reply);
  });
});

describe('the original error', () => {
  const context = new PackedKafkaContext(
    undefined as never,
    0,
    { topic: 't', partition: 0, failures: 0 } as never,
    undefined as never,
    undefined as never,
    false,
  );
  const watched = (handle: (exception: unknown, host: ArgumentsHost, flag?: unknown) => unknown) => {
    const handlers = { handle };
    watchExceptions(handlers);
    return (exception: unknown, args = host('data', context)) => handlers.handle(exception, args, true);
  };
  const thrown = new SoldOut('x');

  it('is known of what an exception filter answers', async () => {
    const outcome = await failed(watched(() => throwError(() => ({ ...INTERNAL })))(thrown));
    expect(outcome).toEqual(INTERNAL);
    expect(originalError(outcome)).toBe(thrown);
  });

  it('is known of what an asynchronous filter answers, and of what filters throw', async () => {
    const answered = await failed(await watched(async () => throwError(() => ({ a: 1 })))(thrown));
    expect(originalError(answered)).toBe(thrown);
    const rejected = await Promise.resolve(watched(() => Promise.reject(new TypeError('a')))(thrown)).catch(
      (error: unknown) => error,
    );
    expect(originalError(rejected)).toBe(thrown);
    const broken = watched(() => {
      throw new TypeError('b');
    });
    expect(originalError(errorOf(() => broken(thrown)))).toBe(thrown);
  });

  it('leaves what filters answer as it is', async () => {
    const seen: unknown[] = [];
    const handle = watched((...args) => {
      seen.push(args);
      return of(5);
    });
    expect(await failed(handle(thrown))).toBe(5);
    expect(seen).toEqual([[thrown, expect.anything(), true]]);
    expect(watched(() => 5)(thrown)).toBe(5);
    expect(originalError('text')).toBe('text');
    expect(originalError(thrown)).toBe(thrown);
  });

  it('is left alone in other transports', async () => {
    const result = throwError(() => ({ ...INTERNAL }));
    expect(watched(() => result)(thrown, host('data', {}))).toBe(result);
  });
});

describe('the option', () => {
  it.each([
    {},
    { topic: 'a.b_c-D', maxAttempts: 1, backoff: {}, notRetried: [] },
    { topic: () => 'a', maxAttempts: '4', notRetried: ['Name', OutOfStock, Error, TypeError] },
    { backoff: { initialRetryTime: 1, maxRetryTime: 2, factor: 0, multiplier: 1 }, notRetried: () => true },
    undefined,
    null,
  ])('may be %o', (deadLetter) => {
    expect(() => validateNestOptions('server', { deadLetter })).not.toThrow();
  });

  it.each([
    [true, 'options.deadLetter: expected an object'],
    ['orders.DLT', 'options.deadLetter: expected an object'],
    [{ attempts: 3 }, 'Unknown option options.deadLetter.attempts'],
    [{ maxAttempt: 3 }, 'did you mean options.deadLetter.maxAttempts?'],
    [{ maxAttempts: 0 }, 'options.deadLetter.maxAttempts: expected a number, 1 or more'],
    [{ topic: '' }, 'options.deadLetter.topic: expected a topic name'],
    [{ topic: 'a b' }, 'options.deadLetter.topic: expected a topic name'],
    [{ topic: '..' }, 'options.deadLetter.topic: expected a topic name'],
    [{ topic: 5 }, 'options.deadLetter.topic: expected a topic name'],
    [
      { backoff: { retries: 4 } },
      'Option options.deadLetter.backoff.retries is not supported: messages are not given up after retries; use maxAttempts',
    ],
    [{ backoff: { restartOnFailure: () => false } }, 'options.deadLetter.backoff.restartOnFailure is not'],
    [{ backoff: { initialRetryTime: -1 } }, 'options.deadLetter.backoff.initialRetryTime: expected'],
    [{ notRetried: [5] }, 'options.deadLetter.notRetried: expected an array of error classes and names'],
    [{ notRetried: [''] }, 'options.deadLetter.notRetried: expected'],
    [{ notRetried: OutOfStock }, 'of a single class: [TheClass]'],
    [{ notRetried: 'OutOfStock' }, 'options.deadLetter.notRetried: expected'],
  ])('is not %o', (deadLetter, text) => {
    expect(failure(deadLetter)).toContain(text);
  });
});
