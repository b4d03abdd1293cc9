/** What a delivery has failed with whose handler has asked for the record again; dead letters name it as their cause. */
export class NackError extends Error {
  override readonly name = 'KafkaNackError';
  /** The wait before the record comes again, in milliseconds. */
  readonly delay: number;

  constructor(delay: number) {
    super(`The handler wants the message again after ${delay} ms`);
    this.delay = delay;
  }
}
