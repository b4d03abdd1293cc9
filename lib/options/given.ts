/** Values of given options, checked and in the form the code uses. */
export type Given = Readonly<Record<string, any>>;

/** Whether an option counts as given. kafkajs takes null for "not given" in several places, so all do here. */
export const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

/**
 * Options without null values, also in nested objects except these `own` ones of the application, so that null counts as not
 * given where options are read without their table. Returns the object itself if it has none.
 */
export function withoutNulls<T extends object>(
  options: T | null | undefined,
  own: readonly string[] = [],
): Partial<T> {
  const given: Record<string, unknown> = {};
  let changed = !isGiven(options);
  for (const [name, value] of Object.entries(options ?? {})) {
    const kept = isPlain(value) && !own.includes(name) ? withoutNulls(value) : (value as unknown);
    changed ||= kept !== value || kept === null;
    if (isGiven(kept)) given[name] = kept;
  }
  return changed ? (given as Partial<T>) : (options as T);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
