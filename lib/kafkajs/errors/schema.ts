import { KafkaJSNonRetriableError, KafkaJSError } from './base.js';

/** Details of a schema error. */
export interface SchemaErrorDetails {
  /** The topic of the message. */
  topic: string;
  /** The schema id in the message, if it has one. */
  schemaId?: number;
  /** The error of the registry's client. */
  cause?: unknown;
}

/**
 * A message does not fit its schema: bytes that cannot be decoded, an id that the registry does not know, or a value
 * that the schema does not allow. Retrying does not help, so with `deadLetter` such a message is dead-lettered at
 * once.
 */
export class KafkaSchemaError extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaSchemaError';
  /** The topic of the message. */
  readonly topic: string;
  /** The schema id in the message, if it has one. */
  readonly schemaId?: number;

  constructor(message: string, { topic, schemaId, cause }: SchemaErrorDetails) {
    super(message, { cause: cause as Error });
    this.topic = topic;
    this.schemaId = schemaId;
  }
}

/**
 * The schema registry does not answer, or not with a schema. The message itself may be fine, so it is redelivered
 * until the registry answers: neither `deadLetter` nor `retry.retries` counts these deliveries.
 */
export class KafkaSchemaRegistryError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaSchemaRegistryError';
  /** The request to the registry, for example `schema 7` or `the latest schema of orders-value`. */
  readonly request: string;

  /** `reason` is what the registry's client says, where nothing else is given. */
  constructor(
    request: string,
    cause: unknown,
    reason = cause instanceof Error ? cause.message : String(cause),
  ) {
    super(`The schema registry did not give ${request}: ${reason}`, { cause: cause as Error });
    this.request = request;
  }
}
