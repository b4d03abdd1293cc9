/**
 * A 64-bit number, of which kafkajs's shape has the text: a number where that is exact, else a bigint. The operators that compare take
 * both kinds together, and are exact.
 */
export type Long = number | bigint;

/** The largest and the smallest number of the protocol's 64 bits. */
const [MOST, LEAST] = [2n ** 63n - 1n, -(2n ** 63n)];

/** What a text, a number or a bigint stands for; undefined when it is no whole number of 64 bits. */
export function parseLong(value: unknown): Long | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value === 'bigint') return value >= LEAST && value <= MOST ? narrow(value) : undefined;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  try {
    return parseLong(BigInt(value));
  } catch {
    return undefined;
  }
}

/** The same of a text that this package, or a broker, has written. */
export function long(text: string): Long {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

const narrow = (value: bigint): Long => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** The sum of both. */
export function plus(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return narrow(BigInt(a) + BigInt(b));
}

/** What is left of the first without the second. */
export const minus = (a: Long, b: Long): Long => plus(a, -b);
