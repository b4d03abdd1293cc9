import { isDate, isTypedArray } from 'node:util/types';
import { getOwn, setOwn } from '../../values/own-property.js';
import { isPlainObject } from '../serialize.js';

// What a handler has answered, as text for a store. What plain JSON gives back as it was is plain JSON. Anything else is behind a mark with
// which no JSON begins, so that it is never taken for what an application has answered: as JSON again, with a list of the places in it
// where something is that JSON does not have, and what.

/** Begins a result that plain JSON does not hold; the digit is the version of what follows. */
const MARK = '~1';

/** What is at a place: its kind, and what it is made of. */
type Held = readonly [kind: string, data: unknown];
type Path = readonly (string | number)[];
type Place = readonly [path: Path, ...held: Held];

/** Thrown for what cannot be held. */
class NotHeld extends Error {}

const TYPED_ARRAYS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;
const arraysByName = new Map(TYPED_ARRAYS.map((made) => [made.name, made]));

/**
 * What a handler has answered, as text for a store; empty for nothing, and for what cannot be given back so that a reply of it has
 * the same bytes.
 */
export function resultText(result: unknown): string {
  if (result === undefined) return '';
  const places: Place[] = [];
  try {
    const tree = JSON.stringify(new Copy(places).of(result, [], true)) as string | undefined;
    if (tree === undefined) return '';
    return places.length === 0 ? tree : `${MARK}[${tree},${JSON.stringify(places)}]`;
  } catch {
    return '';
  }
}

/** What such a text stands for. */
export function resultOf(text: string): unknown {
  if (text === '') return undefined;
  if (!text.startsWith('~')) return JSON.parse(text) as unknown;
  if (!text.startsWith(MARK)) {
    throw new TypeError('The result of a message was kept by a newer version of nestjs-kafka-native');
  }
  const [tree, places] = JSON.parse(text.slice(MARK.length)) as [unknown, readonly Place[]];
  const root: Record<string, unknown> = { tree };
  for (const [path, kind, data] of places) {
    let at = root;
    let name: string | number = 'tree';
    for (const next of path) {
      at = getOwn(at, String(name)) as Record<string, unknown>;
      name = next;
    }
    setOwn(at, String(name), restored(kind, data));
  }
  return root['tree'];
}

/** What JSON does not have; undefined for all else. */
function held(value: unknown): Held | undefined {
  if (typeof value === 'bigint') return ['bigint', String(value)];
  if (typeof value === 'number') {
    if (Number.isFinite(value) && !Object.is(value, -0)) return undefined;
    return ['number', Object.is(value, -0) ? '-0' : String(value)];
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Buffer.isBuffer(value)) return ['Buffer', value.toString('base64')];
  if (isDate(value) && prototype === Date.prototype) return ['Date', String(value.getTime())];
  if (!isTypedArray(value)) return undefined;
  const made = arraysByName.get(value[Symbol.toStringTag]);
  // A class of the application's own may say anything of itself.
  if (made === undefined || made.prototype !== prototype) throw new NotHeld();
  return [made.name, Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')];
}

function restored(kind: string, data: unknown): unknown {
  const text = String(data);
  switch (kind) {
    case 'undefined':
      return undefined;
    case 'bigint':
      return BigInt(text);
    case 'number':
      return Number(text);
    case 'Buffer':
      return Buffer.from(text, 'base64');
    case 'Date':
      return new Date(Number(text));
    default: {
      const made = arraysByName.get(kind);
      if (made === undefined)
        throw new TypeError(`The result of a message has a ${kind}, which is not known`);
      // Copied, because a small Buffer is a part of a larger one.
      return new made(new Uint8Array(Buffer.from(text, 'base64')).buffer);
    }
  }
}

/** Copies a result as far as JSON holds it, and notes the rest. */
class Copy {
  readonly #places: Place[];
  /** The objects around the current one. */
  readonly #around = new Set<object>();

  constructor(places: Place[]) {
    this.#places = places;
  }

  /** `isSent`: this becomes bytes by itself, not as a part of some JSON. */
  of(value: unknown, path: Path, isSent: boolean): unknown {
    // JSON has no undefined: an object is without it then, but a message without a value is another one.
    const special: Held | undefined = value === undefined && isSent ? ['undefined', null] : held(value);
    if (special !== undefined) {
      this.#places.push([path, ...special]);
      return null;
    }
    if (typeof value === 'function' || typeof value === 'symbol') {
      if (isSent) throw new NotHeld();
      // Where an object has it, JSON leaves it out; in an array it is null.
      return undefined;
    }
    if (typeof value !== 'object' || value === null) return value;
    if (this.#around.has(value)) throw new NotHeld();
    this.#around.add(value);
    const copy = this.#object(value, path, isSent);
    this.#around.delete(value);
    return copy;
  }

  #object(value: object, path: Path, isSent: boolean): unknown {
    if (Array.isArray(value)) return Array.from(value, (item, i) => this.of(item, [...path, i], false));
    const isPlain = isPlainObject(value);
    // What has a text of its own is sent as that text.
    if (isSent && !isPlain && value.toString !== Object.prototype.toString) throw new NotHeld();
    const isMessage = path.length === 0 && ('key' in value || 'value' in value);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      const json: unknown = toJSON.call(value, String(path.at(-1) ?? ''));
      // As a text of JSON it would have other bytes than by itself.
      const isObject = typeof json === 'object' && json !== null;
      if (isSent && (!isObject || isMessage || 'key' in json || 'value' in json)) throw new NotHeld();
      // JSON asks once.
      if (isObject && 'toJSON' in json) throw new NotHeld();
      return this.of(json, path, isSent);
    }
    if (!isPlain && Object.prototype.toString.call(value) !== '[object Object]') throw new NotHeld();
    const copy: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) {
      setOwn(copy, name, this.of(item, [...path, name], isMessage && (name === 'key' || name === 'value')));
    }
    // A message whose parts are not its own: its copy would be none, or another.
    if (isMessage && ['key', 'value', 'headers'].some((name) => name in value && !(name in copy))) {
      throw new NotHeld();
    }
    return copy;
  }
}
