import { describe, expect, it } from 'vitest';
import { resultOf, resultText } from '../../lib/nest/idempotent/result.js';
import { serialize } from '../../lib/nest/serialize.js';

// What a handler has answered goes through a store as text, and comes back so that its reply has the same bytes, or not at all.

const again = (result: unknown): unknown => resultOf(resultText(result));

class Order {
  constructor(
    readonly id: string,
    readonly paid: Date,
  ) {}

  total(): number {
    return 1;
  }
}

class Money {
  constructor(private readonly cents: number) {}

  toString(): string {
    return `${this.cents} cents`;
  }

  toJSON(): string {
    return String(this.cents);
  }
}

class Row {
  constructor(private readonly row: object) {}

  toJSON(): object {
    return this.row;
  }
}

const bytes = Buffer.from([0, 255, 128, 10]);
const date = new Date('2026-01-02T03:04:05.678Z');

const held: [string, unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['a text', 'a\0\u{1f511}'],
  ['an empty text', ''],
  ['a text that begins as the mark does', '~1[null,[]]'],
  ['numbers', [0, -0, 1.5, Number.NaN, Infinity, -Infinity]],
  ['a number that is none', Number.NaN],
  ['a bigint', 12n ** 30n],
  ['a Buffer', bytes],
  ['an empty Buffer', Buffer.alloc(0)],
  ['a Date', date],
  ['a Date that is none', new Date(Number.NaN)],
  ['bytes', new Uint8Array([1, 2, 255])],
  ['a part of bytes', new Uint8Array([1, 2, 255]).subarray(1, 2)],
  ['numbers in bytes', new Float64Array([1.5, -0])],
  ['large numbers in bytes', new BigInt64Array([-1n])],
  ['plain data', { a: [1, { b: 'c' }], d: null, e: false }],
  ['deep ones', { a: [date, { b: bytes, c: new Uint16Array([7]) }], __proto__: null }],
  ['a message', { key: 'k', value: bytes, headers: { id: bytes, many: [bytes, 'x'] } }],
  ['a message without a value', { value: undefined }],
  ['a message with a null one', { key: null, value: null }],
  ['a message with a Date', { key: bytes, value: date }],
  ['what looks like a Buffer in JSON', { type: 'Buffer', data: [1, 2] }],
  ['what looks like what is kept', [{ tree: null }, [[['tree'], 'Buffer', 'AAA=']]]],
  ['odd names', JSON.parse('{"__proto__": {"constructor": 1}, "0": 2}')],
];

describe('held', () => {
  it.each(held)('%s', (_, result) => {
    expect(again(result)).toEqual(result);
    expect(serialize(again(result))).toEqual(serialize(result));
  });

  it('odd names with bytes behind them', () => {
    const result = JSON.parse('{"__proto__": {"constructor": 1}}') as Record<string, object>;
    Object.assign(Object.getOwnPropertyDescriptor(result, '__proto__')?.value as object, { bytes });
    const back = again(result) as object;
    expect(Object.keys(back)).toEqual(['__proto__']);
    expect(Object.getOwnPropertyDescriptor(back, '__proto__')?.value).toEqual({ constructor: 1, bytes });
  });

  it.each<[string, unknown]>([
    ['an object of a class', new Order('o1', date)],
    ['one that says what it is in JSON', new Row({ id: 1, at: date })],
    ['those within others', { orders: [new Order('o1', date)], sum: new Money(7), row: new Row({}) }],
    ['what JSON leaves out', { a: undefined, b: () => 1, c: [undefined, () => 1], d: Symbol('d') }],
    ['one as the value of a message', { key: 1, value: new Order('o1', date) }],
  ])('as a reply: %s', (_, result) => {
    expect(serialize(again(result))).toEqual(serialize(result));
  });
});

it('what plain JSON holds is kept as plain JSON', () => {
  for (const result of [null, 'a', 1, { a: [1] }, new Order('o1', date)].slice(0, 4))
    expect(resultText(result)).toBe(JSON.stringify(result));
});

const round: { self?: unknown } = {};
round.self = round;

it.each<[string, unknown]>([
  ['a class with a text of its own', new Money(7)],
  ['one as the value of a message', { value: new Money(7) }],
  ['a Map', new Map([[1, 2]])],
  ['a Set in something', { a: new Set([1]) }],
  ['an error', new Error('no')],
  ['a function', () => 1],
  ['a symbol', Symbol('a')],
  ['what is in itself', round],
  ['a class of bytes', new (class Bytes extends Uint8Array {})(2)],
  [
    'a message of a class whose value is not its own',
    new (class Message {
      get value(): string {
        return 'v';
      }
    })(),
  ],
  ['what says in JSON that it is a message', new Row({ value: 1 })],
  ['what says in JSON that it is a text', { toJSON: () => 'text' }],
])('no answer: %s', (_, result) => {
  expect(resultText(result)).toBe('');
  expect(again(result)).toBeUndefined();
});

it('what another version has kept is not taken for anything else', () => {
  expect(() => resultOf('~2{}')).toThrow('kept by a newer version');
  expect(() => resultOf('~1[null,[[[],"Thing","x"]]]')).toThrow('Thing, which is not known');
});
