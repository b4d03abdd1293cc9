import { wrongUsage, type Given } from './front.js';

/**
 * An option's value as a whole number of at least 1; undefined when the option is not given.
 *
 * @throws CommandError for anything else
 */
export function countOf({ values }: Given, name: string): number | undefined {
  const text = values[name] as string | undefined;
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw wrongUsage(`--${name} takes a whole number of one or more; not ${JSON.stringify(text)}`);
}
