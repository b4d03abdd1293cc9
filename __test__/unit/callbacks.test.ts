import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { distinctUntilChanged, firstValueFrom, map, ReplaySubject } from 'rxjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { guardedLogger } from '../../lib/nest/log/guarded-logger.js';
import { GuardedObservable } from '../../lib/nest/guarded-observable.js';
import { disown, own, runCallback } from '../../lib/application/callbacks.js';
import { errorFrom, jsonOf, messageOf, stackOf } from '../../lib/values/describe.js';
import { InstrumentationEmitter } from '../../lib/kafkajs/instrumentation/emitter.js';
import { createLogger } from '../../lib/kafkajs/logger.js';
import { nestLogCreator } from '../../lib/nest/log/log-creator.js';

afterEach(() => vi.restoreAllMocks());

const hostile = (): object =>
  new Proxy(
    {},
    {
      get() {
        throw new Error('get');
      },
      ownKeys() {
        throw new Error('keys');
      },
      getPrototypeOf() {
        throw new Error('prototype');
      },
    },
  );

class Throwing extends Error {
  override get message(): string {
    throw new Error('no message');
  }
}

const circular = (): Error => {
  const error = new Error('of an ORM') as Error & { self?: unknown };
  error.self = error;
  return error;
};

const ODD: [what: string, make: () => unknown][] = [
  ['an object without a prototype', () => Object.create(null)],
  ['a symbol', () => Symbol('s')],
  ['undefined', () => undefined],
  ['null', () => null],
  ['a BigInt', () => 1n],
  ['a proxy that throws', hostile],
  ['an error whose message throws', () => new Throwing()],
  ['a circular error', circular],
  ['an object that holds a BigInt', () => ({ id: 1n })],
  [
    'an object whose toJSON throws',
    () => ({
      toJSON: () => {
        throw new Error('json');
      },
    }),
  ],
  [
    'an object whose toJSON answers itself',
    () => {
      const o: object = { toJSON: () => o, n: 1n };
      return o;
    },
  ],
  ['a function', () => () => 1],
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  ],
];

describe('what an application throws', () => {
  it.each(ODD)('has words, a stack and an error: %s', (_, make) => {
    expect(messageOf(make())).toEqual(expect.any(String));
    expect(messageOf(make())).not.toContain('[object Object]');
    expect(() => stackOf(make())).not.toThrow();
    const error = errorFrom(make());
    expect([error.name, error.message, error.stack].every((text) => typeof text === 'string')).toBe(true);
    expect(JSON.parse(jsonOf({ made: make() }))).toBeTypeOf('object');
    expect(jsonOf(make())).toEqual(expect.any(String));
  });

  it('stays itself where it is an error, of another realm too', () => {
    const ours = new TypeError('mine');
    const foreign: unknown = runInNewContext('new TypeError("theirs")');
    expect([errorFrom(ours), errorFrom(foreign)]).toEqual([ours, foreign]);
    expect(errorFrom(ours)).toBe(ours);
    expect(errorFrom(foreign)).toBe(foreign);
  });

  it('names an object by what it says', () => {
    expect(errorFrom({ name: 'Odd', message: 'so', stack: 'there' })).toMatchObject({
      name: 'Odd',
      message: 'so',
      stack: 'there',
    });
    expect(errorFrom({ status: 'error' }).message).toBe('{"status":"error"}');
  });
});

describe('JSON of anything', () => {
  it('is JSON.stringify’s where that works', () => {
    const value = { a: [1, null, 'x', undefined], date: new Date(0), nested: { b: true }, gone: undefined };
    expect(jsonOf(value)).toBe(JSON.stringify(value));
  });

  it('marks circles and writes BigInts as digits', () => {
    const value: Record<string, unknown> = { id: 12n, list: [1n], same: 'x' };
    value['self'] = value;
    expect(JSON.parse(jsonOf(value))).toEqual({ id: '12', list: ['1'], same: 'x', self: '[circular]' });
    expect(JSON.parse(jsonOf(circular()))).toEqual({
      name: 'Error',
      message: 'of an ORM',
      self: '[circular]',
    });
  });

  it('leaves out what is too deep, too much and too long', () => {
    const wide: Record<string, unknown> = { text: 'x'.repeat(100_000), n: 1n };
    for (let i = 0; i < 10_000; i++)
      wide[`k${i}`] = { deep: { deep: { deep: { deep: { deep: { deep: 1n } } } } } };
    expect(jsonOf(wide).length).toBeLessThan(60_000);
  });
});

describe('a callback', () => {
  it.each(ODD)('may throw and reject with anything: %s', async (_, make) => {
    const failed = vi.fn();
    runCallback(() => {
      throw make();
    }, failed);
    runCallback(() => Promise.reject(make()), failed);
    runCallback(async () => {
      throw make();
    }, failed);
    await vi.waitFor(() => expect(failed).toHaveBeenCalledTimes(3));
    expect(failed.mock.calls.every(([error]) => error instanceof Error)).toBe(true);
  });

  it('may answer a thenable that throws', async () => {
    const failed = vi.fn();
    runCallback(
      () => ({
        // oxlint-disable-next-line unicorn/no-thenable
        then() {
          throw new Error('then');
        },
      }),
      failed,
    );
    await vi.waitFor(() => expect(failed).toHaveBeenCalledTimes(1));
  });

  it('whose failure cannot be told disturbs nobody', async () => {
    const failed = vi.fn(() => {
      throw new Error('deaf');
    });
    runCallback(() => {
      throw new Error('mute');
    }, failed);
    own(Promise.reject(new Error('mute')), failed);
    disown(Promise.reject(new Error('unwanted')));
    await vi.waitFor(() => expect(failed).toHaveBeenCalledTimes(2));
  });
});

describe('a logger', () => {
  it('writes what JSON refuses', () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    createLogger().error('failed', { error: circular(), id: 1n });
    const [line] = print.mock.calls[0] as [string];
    expect(JSON.parse(line)).toMatchObject({ message: 'failed', id: '1', error: { message: 'of an ORM' } });
    const lines: string[] = [];
    const nest = { error: (text: string) => void lines.push(text), warn: vi.fn(), log: vi.fn() };
    createLogger({ logCreator: nestLogCreator(nest) })
      .namespace('Consumer')
      .error('failed', { error: circular() });
    expect(lines[0]).toMatch(/^ERROR \[Consumer\] failed \{.*"self":"\[circular\]"/);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('full disk');
      },
    ],
    ['rejects', () => Promise.reject(new Error('full disk'))],
  ])('whose function %s has its lines on the console, and says why', async (_, write) => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    createLogger({ logCreator: () => write as never }).error('important');
    await vi.waitFor(() => expect(print).toHaveBeenCalledTimes(2));
    const messages = print.mock.calls.map(
      ([line]) => (JSON.parse(line as string) as { message: string }).message,
    );
    expect(messages).toEqual(['important', 'The function of client.logCreator failed: full disk']);
  });

  it('of NestJS that throws has its lines on the console', () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const logger = guardedLogger(() => {
      throw new Error('full disk');
    });
    logger.error('important');
    expect(print.mock.calls[0]?.[0]).toContain('"entry":"important","error":"full disk"');
  });
});

const bad = (): never => {
  throw new Error('deaf');
};

it('a subscriber of a status may throw, also behind operators', async () => {
  const source = new ReplaySubject<number>(1);
  const failed = vi.fn();
  const guarded = new GuardedObservable<number>(source, failed);
  const seen: number[] = [];
  guarded.subscribe(bad);
  guarded.subscribe({ next: bad });
  guarded
    .pipe(
      map((n) => n + 1),
      distinctUntilChanged(),
    )
    .subscribe(bad);
  const subscription = guarded.pipe(map((n) => n * 2)).subscribe((n) => seen.push(n));
  source.next(1);
  source.next(2);
  subscription.unsubscribe();
  source.next(3);
  await new Promise((resolve) => {
    setTimeout(resolve, 10);
  });
  expect([seen, failed.mock.calls.length, await firstValueFrom(guarded)]).toEqual([[2, 4], 9, 3]);
});

it('a listener that is no function is refused', () => {
  expect(() => new InstrumentationEmitter('consumer').on('consumer.stop', 5 as never)).toThrow(TypeError);
});

// A guard: `void f()` starts a promise that is nobody's. Those that are not awaited go through `own`.
it('no promise of this package is started and left to itself', () => {
  const root = join(import.meta.dirname, '../../lib');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const found = files.flatMap((name) =>
    readFileSync(join(root, name), 'utf8')
      .split('\n')
      .filter(
        (line) =>
          !/^\s*(\*|\/\/|\/\*)/.test(line) &&
          /(^|[^:<|>&]\s|=>\s|return\s)void\s+(?!\(await)[\w(]/.test(line),
      )
      .map((line) => `${name}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
