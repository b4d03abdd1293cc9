import { expect } from 'vitest';
import { plain } from './plain';

/** A call's result, or everything that an application can read from its error. */
export async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return plain(await call);
  } catch (error) {
    return { rejected: picture(error) };
  }
}

function picture(error: unknown): unknown {
  const { name, message, type, code, retriable, topic, errors, groups, partitions } = error as Record<
    string,
    unknown
  >;
  const inner = (list: unknown): unknown =>
    Array.isArray(list)
      ? list.map((item: unknown) => {
          if (item instanceof Error) return picture(item);
          const { error: nested, ...rest } = item as { error?: unknown };
          return nested === undefined ? rest : { ...rest, error: picture(nested) };
        })
      : undefined;
  return plain({
    name,
    message,
    type,
    code,
    retriable,
    topic,
    errors: inner(errors),
    groups: inner(groups),
    partitions: inner(partitions),
  });
}

/** Makes the same call with both clients, one after the other, and expects the same outcome, which it returns. */
export async function same<Client>(
  { ours, stock }: { ours: Client; stock: Client },
  call: (client: Client) => Promise<unknown>,
): Promise<unknown> {
  const expected = await outcomeOf(call(stock));
  const found = await outcomeOf(call(ours));
  expect(found).toEqual(expected);
  return found;
}
