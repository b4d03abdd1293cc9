/**
 * A JSON-able picture of any value, in which everything a transport could get wrong stays visible:
 * Buffers, undefined, NaN, class instances and errors look different from plain data.
 */
export function plain(value: unknown): unknown {
  if (value === undefined) return '<undefined>';
  if (typeof value === 'bigint' || typeof value === 'symbol') return `<${typeof value}> ${String(value)}`;
  if (typeof value === 'function') return '<function>';
  if (typeof value === 'number' && !Number.isFinite(value)) return `<number> ${value}`;
  if (Buffer.isBuffer(value)) return { bytes: value.toString('latin1') };
  if (value instanceof Error) return { error: value.message };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return plainObject(value);
  return value;
}

function plainObject(value: object): unknown {
  const fields = Object.entries(value).map(([key, field]) => [key, plain(field)] as const);
  const picture = Object.fromEntries(fields);
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== 'Object' ? { [`<${name}>`]: picture } : picture;
}

/** Replaces a text in every string of a picture, keys too, so that run-specific names become comparable. */
export function replaceText(picture: unknown, text: string, replacement: string): unknown {
  if (typeof picture === 'string') return picture.replaceAll(text, replacement);
  if (Array.isArray(picture)) return picture.map((item) => replaceText(item, text, replacement));
  if (typeof picture !== 'object' || picture === null) return picture;
  return Object.fromEntries(
    Object.entries(picture).map(([key, item]) => [
      key.replaceAll(text, replacement),
      replaceText(item, text, replacement),
    ]),
  );
}

/** Removes a field from a picture, at any depth. */
export function withoutField(picture: unknown, name: string): unknown {
  if (Array.isArray(picture)) return picture.map((item) => withoutField(item, name));
  if (typeof picture !== 'object' || picture === null) return picture;
  const kept = Object.entries(picture).filter(([key]) => key !== name);
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutField(item, name)]));
}
