import { expect, test } from 'vitest';
import { plain } from './plain';
import type { Kind } from './transports';
import './wait';

/**
 * One test for stock and one for the native transport, for a scenario that brings its own servers and clients. The
 * stock transport's picture is checked by `check` and is then the reference.
 */
export function onEither(
  title: string,
  run: (kind: Kind) => Promise<unknown>,
  check: (picture: unknown) => void,
): void {
  let reference: { picture: unknown } | undefined;

  test(`${title}: stock`, async () => {
    const picture = plain(await run('stock'));
    check(picture);
    reference = { picture };
  });

  test(`${title}: native`, async () => {
    const picture = plain(await run('native'));
    if (!reference) throw new Error('there is no reference: stock failed');
    expect(picture).toEqual(reference.picture);
  });
}
