/**
 * To be thrown by a handler of batches when one message has failed: the messages before it count as handled, it is
 * retried (and dead-lettered) on its own, and the messages after it are redelivered.
 *
 * ```ts
 * throw new KafkaBatchError(index, error);
 * ```
 */
export class KafkaBatchError extends Error {
  /** `KafkaBatchError`. */
  override readonly name: string = 'KafkaBatchError';
  /** The index in the batch of the failed message. */
  readonly index: number;

  /** `cause` is the message's error, which its dead letter names. */
  constructor(index: number, cause?: unknown) {
    super(`Message ${index} of the batch has failed`, { cause });
    this.index = index;
  }
}

/** The same before the handler was called: then the messages before the failed one were not handled either. */
export class BatchItemError extends KafkaBatchError {}
