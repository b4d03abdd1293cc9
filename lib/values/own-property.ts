/**
 * Objects whose keys come from elsewhere: from the wire, or from the application. A header may be called `constructor`, a topic
 * `__proto__`; such a name must find and make properties of the object itself, never its prototype's.
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
