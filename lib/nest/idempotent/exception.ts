import { KafkaRetriableException } from '@nestjs/microservices';

/** The name of {@link KafkaIdempotencyException}, by which it is known where there are two copies of the package. */
export const IDEMPOTENCY_EXCEPTION = 'KafkaIdempotencyException';

/**
 * A handler with `@Idempotent` was not called, or not remembered, and the message comes again, as often as it takes: neither
 * `deadLetter` nor `retry.retries` counts these deliveries, unless the store refuses the key itself (`reason` is `'key'`).
 */
export class KafkaIdempotencyException extends KafkaRetriableException {
  /** The key of the message. */
  readonly key: string;
  /**
   * `busy`: another delivery has the key. `store`: the store has failed, with `cause`. `key`: it has refused this key, or what was to be
   * kept with it, with `cause`.
   */
  readonly reason: 'busy' | 'store' | 'key';
  /** What the store has failed with. */
  override readonly cause?: unknown;

  constructor(message: string, key: string, reason: 'busy' | 'store' | 'key', cause?: unknown) {
    super(message);
    this.name = IDEMPOTENCY_EXCEPTION;
    this.key = key;
    this.reason = reason;
    this.cause = cause;
  }
}
