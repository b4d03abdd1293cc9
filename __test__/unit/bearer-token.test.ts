import { describe, expect, it } from 'vitest';
import { tokenOf } from '../../lib/kafkajs/cluster/bearer-token';

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
