import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { supplyToken, tokenOf } from '../../lib/kafkajs/cluster/bearer-token';

const jwt = (claims: object): string =>
  `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;

describe('a bearer token', () => {
  it('of a JWT tells its own life time and principal', () => {
    const value = jwt({ sub: 'alice', exp: 1_900_000_000 });
    const token = { value, lifetime: '1900000000000', principal: 'alice', extensions: [] };
    expect(tokenOf({ value })).toEqual(token);
    expect(
      tokenOf({ value, principal: 'bob', lifetime: 5, extensions: { pool: 'a', cluster: 'b' } }),
    ).toEqual({
      value,
      principal: 'bob',
      lifetime: '5',
      extensions: ['pool', 'a', 'cluster', 'b'],
    });
  });

  it('of another kind needs a life time', () => {
    expect(tokenOf({ value: 'opaque', lifetime: 5 })).toEqual({
      value: 'opaque',
      lifetime: '5',
      principal: '',
      extensions: [],
    });
    expect(() => tokenOf({ value: 'opaque' })).toThrow('is no JWT: answer { value, lifetime }');
    expect(() => tokenOf({ value: 'a.b.c' })).toThrow('is no JWT');
    expect(() => tokenOf({ value: jwt({ sub: 'alice' }) })).toThrow('is a JWT without "exp"');
  });

  it.each([undefined, null, 'text', {}, { value: '' }, { value: 1 }])('is not %o', (answer) => {
    expect(() => tokenOf(answer)).toThrow('must answer { value }');
  });
});

describe('a provider', () => {
  const told: string[] = [];
  const native = {
    setBearerToken: ({ value }: { value: string }) => void told.push(`token ${value}`),
    setBearerTokenFailure: (message: string) => void told.push(`failure ${message}`),
  };
  const logger = { error: (message: string) => void told.push(message) } as never;
  beforeEach(() => {
    told.length = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('that does not answer has failed, so that it is asked again; what it answers later is taken', async () => {
    const asked: ((token: { value: string; lifetime: number }) => void)[] = [];
    supplyToken(() => new Promise((resolve) => void asked.push(resolve)) as never, native, logger);
    await vi.advanceTimersByTimeAsync(9999);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const text = 'sasl.oauthBearerProvider has not answered within 10000 ms';
    expect(told).toEqual([`failure ${text}`, `No token for SASL OAUTHBEARER: ${text}`]);
    asked[0]?.({ value: 'late', lifetime: 5 });
    await vi.advanceTimersByTimeAsync(0);
    expect(told.slice(2)).toEqual(['token late']);
  });

  it('that answers or fails in time is told of once', async () => {
    supplyToken(async () => ({ value: 'a', lifetime: 5 }) as never, native, logger);
    supplyToken(() => Promise.reject(new Error('no')), native, logger);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(['token a', 'failure no', 'No token for SASL OAUTHBEARER: no']);
  });

  // As Node.js fails to connect to a host with two addresses: the core takes no failure without a text, and would never ask again.
  it.each([
    [
      new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')]),
      'refused ::1; refused 127.0.0.1',
    ],
    [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [new TypeError(''), 'TypeError'],
    ['', 'sasl.oauthBearerProvider has failed without a reason'],
  ])('that fails without a message is told of with a reason', async (failure, reason) => {
    supplyToken(() => Promise.reject(failure as Error), native, logger);
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual([`failure ${reason}`, `No token for SASL OAUTHBEARER: ${reason}`]);
  });
});
