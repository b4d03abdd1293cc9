/**
 * A 64-bit number, which kafkajs represents as text: a number if that is exact, else a bigint. Comparison operators
 * work between both kinds and are exact.
 */
export type Long = number | bigint;

/** The largest and the smallest 64-bit number. */
const [MOST, LEAST] = [2n ** 63n - 1n, -(2n ** 63n)];

/** Parses a text, a number or a bigint; undefined unless it is a 64-bit integer. */
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

/** The same for a text written by this package or a broker, which is always valid. */
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

/** The difference of both. */
export const minus = (a: Long, b: Long): Long => plus(a, -b);
