/** The error of a delivery that the handler has refused; dead letters name it as their cause. */
export class NackError extends Error {
  override readonly name = 'KafkaNackError';
  /** The wait before the redelivery, in milliseconds. */
  readonly delay: number;

  constructor(delay: number) {
    super(`The handler wants the message again after ${delay} ms`);
    this.delay = delay;
  }
}
