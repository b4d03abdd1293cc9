import { wrongUsage, type Given } from './front.js';

/**
 * The whole number of one or more that an option is given; undefined when it is not.
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
