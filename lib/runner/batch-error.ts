/**
 * What a handler of batches throws when one message has failed: the messages before it count as handled, it is retried (and goes to the
 * dead letters) by itself, and those behind it come again.
 *
 * ```ts
 * throw new KafkaBatchError(index, error);
 * ```
 */
export class KafkaBatchError extends Error {
  /** `KafkaBatchError`. */
  override readonly name: string = 'KafkaBatchError';
  /** The place in the batch of the message that has failed. */
  readonly index: number;

  /** `cause` is what has gone wrong with the message; the dead letters name it. */
  constructor(index: number, cause?: unknown) {
    super(`Message ${index} of the batch has failed`, { cause });
    this.index = index;
  }
}

/** The same before the handler was called: the messages before the one that has failed are not handled either. */
export class BatchItemError extends KafkaBatchError {}
