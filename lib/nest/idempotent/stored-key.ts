import { createHash } from 'node:crypto';

/** What a key looks like that is kept by its digest; one of an application that looks so is kept by its digest too. */
const DIGEST = /^sha256:[0-9a-f]{64}:/;
/** Half a character: as bytes it is the same as any other half. */
const HALVES = /\p{Surrogate}/u;
/** So many characters of a key remain to be read. */
const READABLE = 64;

/** What a store can hold of keys. */
export interface KeyLimits {
  /** Most bytes of a key. Default: any number. */
  readonly mostBytes?: number;
  /** What it cannot hold. */
  readonly refused?: RegExp;
}

/** A key as a store keeps it: as it is where that can be, else its digest and its beginning. */
export function storedKey(
  key: string,
  { mostBytes = Number.POSITIVE_INFINITY, refused }: KeyLimits = {},
): string {
  const isHeld =
    Buffer.byteLength(key) <= mostBytes &&
    !HALVES.test(key) &&
    refused?.test(key) !== true &&
    !DIGEST.test(key);
  if (isHeld) return key;
  // UTF-16, because half a character has no bytes of its own in UTF-8.
  const digest = createHash('sha256').update(key, 'utf16le').digest('hex');
  return `sha256:${digest}:${readable(key)}`;
}

/** The beginning of a key, for those who look into the store. */
function readable(key: string): string {
  return key.slice(0, READABLE).replaceAll(/[^\u0020-\u007e]/g, (one) => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
