/** The error that an action throws. */
export function errorOf(action: () => unknown): Error & { option?: string } {
  try {
    action();
  } catch (e) {
    return e as Error;
  }
  throw new Error('nothing was thrown');
}
