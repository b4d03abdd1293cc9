import { KafkaJSNonRetriableError, KafkaJSError } from './base.js';

/** Where a schema was asked for. */
export interface SchemaErrorDetails {
  /** The topic of the message. */
  topic: string;
  /** The id that the message names, where it names one. */
  schemaId?: number;
  /** What the registry's client says. */
  cause?: unknown;
}

/**
 * A message does not go with its schema: bytes that cannot be decoded, an id that the registry does not know, a value that the schema
 * does not take. Another try changes nothing, so with `deadLetter` such a message is put aside at once.
 */
export class KafkaSchemaError extends KafkaJSNonRetriableError {
  /** @internal */
  static override readonly brand: string = 'KafkaSchemaError';
  /** The topic of the message. */
  readonly topic: string;
  /** The id that the message names, where it names one. */
  readonly schemaId?: number;

  constructor(message: string, { topic, schemaId, cause }: SchemaErrorDetails) {
    super(message, { cause: cause as Error });
    this.topic = topic;
    this.schemaId = schemaId;
  }
}

/**
 * The schema registry does not answer, or not with a schema. Nothing is known of the message, so it is delivered again, as often as it
 * takes: `deadLetter` does not count these deliveries.
 */
export class KafkaSchemaRegistryError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaSchemaRegistryError';
  /** What was asked of the registry, for example `schema 7` or `the latest schema of orders-value`. */
  readonly request: string;

  constructor(request: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`The schema registry did not give ${request}: ${reason}`, { cause: cause as Error });
    this.request = request;
  }
}
