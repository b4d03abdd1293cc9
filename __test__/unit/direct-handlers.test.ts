import 'reflect-metadata';
import {
  Catch,
  Controller,
  createParamDecorator,
  Inject,
  Injectable,
  Module,
  ParseIntPipe,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type INestMicroservice,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { NestFactory, REQUEST } from '@nestjs/core';
import {
  Ctx,
  EventPattern,
  KafkaRetriableException,
  MessagePattern,
  Payload,
  RpcException,
  type MessageHandler,
} from '@nestjs/microservices';
import { ServerKafka } from '../../lib/nest/server/server-kafka';
import { from, isObservable, lastValueFrom, map, of, throwError, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { directHandler } from '../../lib/nest/server/direct-handlers';
import { logs } from '../harness/logs';

// What a handler does when it is called without NestJS's wrappers, against the same called with them.

/** Keeps what NestJS registers. */
class Registered extends ServerKafka {
  readonly callbacks = new Map<string, MessageHandler>();

  override addHandler(pattern: any, callback: MessageHandler, ...rest: any[]): void {
    if (!this.callbacks.has(pattern)) this.callbacks.set(pattern, callback);
    super.addHandler(pattern, callback, ...rest);
  }

  // Nothing is connected.
  override async listen(callback: (error?: unknown, ...rest: unknown[]) => void): Promise<void> {
    await (callback() as unknown);
  }
}

const opened: INestMicroservice[] = [];
beforeEach(() => {
  logs.entries.length = 0;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

async function registered(
  controller: Type,
  prepare: (app: INestMicroservice) => unknown = () => undefined,
): Promise<Map<string, MessageHandler>> {
  class AppModule {}
  Module({ controllers: [controller] })(AppModule);
  const strategy = new Registered({});
  const app = await NestFactory.createMicroservice(AppModule, { strategy, logger: logs });
  opened.push(app);
  prepare(app);
  await app.listen();
  return strategy.callbacks;
}

const failure = (error: unknown): unknown =>
  error instanceof Error ? { type: error.constructor.name, message: error.message } : error;

/** All that can be seen of a call: what it returns or throws, what it emits, and what is logged meanwhile. */
async function seen(call: () => unknown): Promise<unknown> {
  const start = logs.entries.length;
  const logged = (): string[] => logs.entries.slice(start).map(({ text }) => text.split('\n')[0] as string);
  let value: unknown;
  try {
    value = await call();
  } catch (error) {
    return { thrown: failure(error), logged: logged() };
  }
  if (!isObservable(value)) return { value, logged: logged() };
  try {
    const emitted = await lastValueFrom(value.pipe(toArray()));
    // RxJS awaits what a filter answers to a stream's error, and does not look further.
    return { emitted: emitted.map((one) => (isObservable(one) ? 'a stream' : one)), logged: logged() };
  } catch (error) {
    return { failed: failure(error), logged: logged() };
  }
}

class Own extends Error {}

@Catch(Own)
class OwnFilter implements ExceptionFilter {
  catch(error: Own, host: ArgumentsHost): unknown {
    const [data, context] = host.getArgs<[unknown, unknown]>();
    return throwError(() => ({ filtered: error.message, data, context, type: host.getType() }));
  }
}

@Catch(Own)
class ThrowingFilter implements ExceptionFilter {
  catch(error: Own): never {
    throw new TypeError(`thrown by a filter: ${error.message}`);
  }
}

@Catch(Own)
class AsyncFilter implements ExceptionFilter {
  async catch(error: Own): Promise<unknown> {
    return Promise.resolve(of(`later ${error.message}`));
  }
}

/** What an ORM returns: no promise, and yet it can be awaited. */
const thenable = (value: unknown): PromiseLike<unknown> =>
  // oxlint-disable-next-line unicorn/no-thenable -- that is what it is
  ({ then: (resolve: (value: unknown) => void) => resolve(value) }) as never;

const bodies: Record<string, (data?: any, context?: any) => unknown> = {
  nothing: () => undefined,
  'a value': (data) => ({ data }),
  null: () => null,
  'a promise': async (data) => Promise.resolve([data]),
  thenable: (data) => thenable({ data }),
  'a function that can be awaited': (data) => Object.assign(() => 1, thenable(data)),
  'an object whose then throws': () =>
    // oxlint-disable-next-line unicorn/no-thenable -- as above
    Object.defineProperty({}, 'then', {
      get: () => {
        throw new Own('then');
      },
    }),
  stream: (data) => from([data, 2, 3]),
  'promise of a stream': async () => Promise.resolve(of(1, 2)),
  'an error': () => {
    throw new Error('mine');
  },
  'no error': () => {
    throw 'text';
  },
  rejected: async () => Promise.reject(new TypeError('later')),
  RpcException: () => {
    throw new RpcException({ code: 7 });
  },
  'RpcException later': async () => Promise.reject(new RpcException('seven')),
  KafkaRetriableException: () => {
    throw new KafkaRetriableException('again');
  },
  'own error': () => {
    throw new Own('own');
  },
  'own error later': async () => Promise.reject(new Own('own')),
  'a stream that fails': () => throwError(() => new Error('stream')),
  'a stream that fails with an own error': () => throwError(() => new Own('stream')),
  'a stream that fails midway': () =>
    from([1, 2]).pipe(
      map((n) => {
        if (n === 2) throw new RpcException('midway');
        return n;
      }),
    ),
};

/** A controller with a handler of these decorators for each body, as an event's and as a request's. */
function controllerOf(...decorators: MethodDecorator[]): Type {
  class Bodies {}
  for (const [kind, decorate] of [
    ['event', (pattern: string) => EventPattern(pattern)],
    ['request', (pattern: string) => MessagePattern(pattern)],
  ] as const) {
    for (const [name, body] of Object.entries(bodies)) {
      const method = `${kind} ${name}`;
      Object.defineProperty(Bodies.prototype, method, {
        value: (...args: unknown[]) => body(...args),
        writable: true,
        configurable: true,
      });
      const descriptor = Object.getOwnPropertyDescriptor(Bodies.prototype, method) as PropertyDescriptor;
      for (const one of [decorate(method) as MethodDecorator, ...decorators]) {
        one(Bodies.prototype, method, descriptor);
      }
      Payload()(Bodies.prototype, method, 0);
      Ctx()(Bodies.prototype, method, 1);
    }
  }
  Controller()(Bodies);
  return Bodies;
}

describe.each([
  ['no filter', [], []],
  ['a filter of the method', [UseFilters(OwnFilter)], []],
  ['a filter that throws', [UseFilters(ThrowingFilter)], []],
  ['a filter that answers later', [UseFilters(AsyncFilter)], []],
  ['a filter of the application', [], [new OwnFilter()]],
] as [string, MethodDecorator[], ExceptionFilter[]][])('with %s', (_, decorators, filters) => {
  test.each(['event', 'request'].flatMap((kind) => Object.keys(bodies).map((name) => `${kind} ${name}`)))(
    'a handler that returns or throws %s is seen as NestJS shows it',
    async (pattern) => {
      const callbacks = await registered(controllerOf(...decorators), (app) =>
        app.useGlobalFilters(...filters),
      );
      const wrapped = callbacks.get(pattern) as MessageHandler;
      const direct = directHandler(wrapped);
      expect(direct).toBeDefined();
      const [data, context] = [{ n: 1 }, { a: 'context' }];
      const expected = await seen(() => wrapped(data, context as never));
      expect(await seen(() => direct?.(data, context))).toEqual(expected);
    },
  );
});

describe('arguments', () => {
  class Args {
    all(...args: unknown[]): unknown {
      return args;
    }
    context(@Ctx() context: unknown, ...rest: unknown[]): unknown {
      return [context, rest];
    }
    property(@Payload('n') n: unknown, ...rest: unknown[]): unknown {
      return [n, rest];
    }
    turned(@Ctx() context: unknown, @Payload() data: unknown, ...rest: unknown[]): unknown {
      return [context, data, rest];
    }
    gap(first: unknown, @Payload() data: unknown, ...rest: unknown[]): unknown {
      return [first, data, rest];
    }
    both(@Payload('n') n: unknown, @Payload('m') m: unknown, @Ctx() context: unknown): unknown {
      return [n, m, context, this instanceof Args];
    }
  }
  const methods = ['all', 'context', 'property', 'turned', 'gap', 'both'] as const;
  for (const method of methods) {
    const descriptor = Object.getOwnPropertyDescriptor(Args.prototype, method) as PropertyDescriptor;
    (MessagePattern(method) as MethodDecorator)(Args.prototype, method, descriptor);
  }
  Controller()(Args);

  test.each(methods)('of %s', async (method) => {
    const wrapped = (await registered(Args)).get(method) as MessageHandler;
    const direct = directHandler(wrapped);
    expect(direct).toBeDefined();
    for (const data of [{ n: 1, m: [2] }, { n: null }, 'text', 7, null, undefined]) {
      const context = { a: 'context' };
      expect(await direct?.(data, context)).toEqual(await wrapped(data, context as never));
    }
  });
});

/** A controller with one handler. */
function controllerWith(decorate: (type: Type, method: string) => void): Type {
  class One {
    async one(data: unknown): Promise<unknown> {
      return Promise.resolve(data);
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(One.prototype, 'one') as PropertyDescriptor;
  (EventPattern('one') as MethodDecorator)(One.prototype, 'one', descriptor);
  decorate(One, 'one');
  Controller()(One);
  return One;
}

const onMethod =
  (decorator: MethodDecorator) =>
  (type: Type, method: string): void => {
    decorator(type.prototype, method, Object.getOwnPropertyDescriptor(type.prototype, method) as never);
  };

describe('NestJS itself calls', () => {
  class Allow implements CanActivate {
    canActivate(): boolean {
      return true;
    }
  }
  class Through implements NestInterceptor {
    intercept(_: unknown, next: CallHandler): ReturnType<NestInterceptor['intercept']> {
      return next.handle();
    }
  }
  class Same implements PipeTransform {
    transform(value: unknown): unknown {
      return value;
    }
  }
  for (const each of [Allow, Through, Same]) Injectable()(each);
  const Custom = createParamDecorator(() => 'custom');

  test.each<[string, (type: Type, method: string) => void]>([
    ['a guard', onMethod(UseGuards(Allow))],
    ['an interceptor', onMethod(UseInterceptors(Through))],
    ['a pipe', onMethod(UsePipes(Same))],
    ['a guard of the class', (type) => UseGuards(Allow)(type)],
    ['a pipe of a parameter', (type, method) => Payload(ParseIntPipe)(type.prototype, method, 0)],
    [
      'a pipe of a property',
      (type, method) => Payload('n', new ParseIntPipe() as never)(type.prototype, method, 0),
    ],
    ['a parameter of its own', (type, method) => Custom()(type.prototype, method, 0)],
    ['a request of its own', (type) => Inject(REQUEST)(type, undefined as never, 0)],
    ['a life for each request', (type) => Injectable({ scope: Scope.REQUEST })(type)],
  ])('a handler with %s', async (name, decorate) => {
    const controller = controllerWith(decorate);
    if (name === 'a life for each request') Controller({ scope: Scope.REQUEST })(controller);
    const wrapped = (await registered(controller)).get('one') as MessageHandler;
    expect(wrapped).toBeInstanceOf(Function);
    expect(directHandler(wrapped)).toBeUndefined();
  });

  test.each<[string, (app: INestMicroservice) => unknown]>([
    ['guard', (app) => app.useGlobalGuards(new Allow())],
    ['interceptor', (app) => app.useGlobalInterceptors(new Through() as never)],
    ['pipe', (app) => app.useGlobalPipes(new Same())],
  ])('all handlers of an application with a %s', async (_, prepare) => {
    const wrapped = (
      await registered(
        controllerWith(() => undefined),
        prepare,
      )
    ).get('one') as MessageHandler;
    expect(directHandler(wrapped)).toBeUndefined();
    const alone = (await registered(controllerWith(() => undefined))).get('one') as MessageHandler;
    expect(directHandler(alone)).toBeDefined();
  });

  test('several handlers of one event', async () => {
    class Two {
      first(): string {
        return 'first';
      }
      second(): string {
        return 'second';
      }
    }
    for (const method of ['first', 'second']) {
      const descriptor = Object.getOwnPropertyDescriptor(Two.prototype, method) as PropertyDescriptor;
      (EventPattern('one') as MethodDecorator)(Two.prototype, method, descriptor);
    }
    Controller()(Two);
    const wrapped = (await registered(Two)).get('one') as MessageHandler;
    expect(directHandler(wrapped)).toBeUndefined();
    expect(await seen(() => wrapped({}))).toMatchObject({ emitted: [{ current: 'first', next: 'second' }] });
  });

  test('what a subclass has wrapped, and handlers that are added by hand', async () => {
    const handlers: MessageHandler[] = [];
    class Wrapping extends Registered {
      override addHandler(pattern: any, callback: MessageHandler, ...rest: any[]): void {
        const mine: MessageHandler = (...args) => callback(...args);
        handlers.push(mine);
        super.addHandler(pattern, mine, ...rest);
      }
    }
    class AppModule {}
    Module({ controllers: [controllerWith(() => undefined)] })(AppModule);
    const strategy = new Wrapping({});
    const app = await NestFactory.createMicroservice(AppModule, { strategy, logger: logs });
    opened.push(app);
    await app.listen();
    strategy.addHandler('two', () => Promise.resolve(), true);
    expect(handlers).toHaveLength(2);
    for (const handler of handlers) expect(directHandler(handler)).toBeUndefined();
  });
});
