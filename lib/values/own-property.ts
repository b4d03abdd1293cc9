/**
 * For objects whose keys come from outside, from Kafka or the application. A header may be named `constructor`, a
 * topic `__proto__`; such names must refer to properties of the object itself, never of its prototype.
 */

/** The object's own property of that name. */
export function getOwn<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Sets the object's own property of that name. A plain assignment to `__proto__` would change its prototype. */
export function setOwn<T>(object: Record<string, T>, name: string, value: T): void {
  if (!(name in object) || Object.hasOwn(object, name)) object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
