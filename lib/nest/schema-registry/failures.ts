import { KafkaSchemaError } from '../../kafkajs/errors/index.js';
import { messageOf } from '../../values/describe.js';
import type { SchemaField } from './options.js';
import { NETWORK, registryFailure, type RegistryTerms } from './registry-failure.js';

/** HTTP statuses: the registry has no such id, subject or version (404), or cannot parse a schema (422). */
const DENIALS: ReadonlySet<unknown> = new Set([404, 422]);

interface RegistryFailure {
  /** HTTP status of the registry's answer; the kafkajs client sets 400 if there was no answer. */
  readonly status?: unknown;
  readonly code?: unknown;
  readonly isAxiosError?: unknown;
}

/** The registry's part in a failure: none, it has refused (`denied`), or it did not answer (`away`). */
function standOf(error: unknown): 'none' | 'denied' | 'away' {
  const { status, code, isAxiosError } = (error ?? {}) as RegistryFailure;
  if (typeof status === 'number') return DENIALS.has(status) ? 'denied' : 'away';
  if (isAxiosError === true || (typeof code === 'string' && NETWORK.test(code))) return 'away';
  return 'none';
}

/** Whether the registry answered that it does not have what was requested. */
export function isDenied(error: unknown): boolean {
  return standOf(error) === 'denied';
}

/** How errors refer to a part of a message. */
export interface Place {
  readonly topic: string;
  readonly field: SchemaField;
  readonly schemaId?: number;
}

/** A failure to decode. */
export function decodingFailure(
  error: unknown,
  { topic, field, schemaId }: Place,
  terms: RegistryTerms,
): Error {
  const stand = standOf(error);
  if (stand === 'away') return registryFailure(error, `schema ${schemaId}`, terms);
  const text =
    stand === 'denied'
      ? `The schema registry has no schema ${schemaId}, which a ${field} of ${topic} was written with: ${messageOf(error)}`
      : `A ${field} of ${topic} cannot be decoded with schema ${schemaId}: ${messageOf(error)}`;
  return new KafkaSchemaError(text, { topic, schemaId, cause: error });
}

/** Bytes that are not in the wire format. */
export function unframed(bytes: unknown, { topic, field }: Place): KafkaSchemaError {
  const what = Buffer.isBuffer(bytes)
    ? `begins with ${bytes.subarray(0, 5).toString('hex') || 'nothing'}`
    : 'is text';
  return new KafkaSchemaError(
    `A ${field} of ${topic} was written without a schema: Confluent's wire format begins with 00 and an id of four bytes, this one ${what}. Name the topics that have schemas in the option topics of schemaRegistry()`,
    { topic },
  );
}

/** A failure to encode. */
export function encodingFailure(
  error: unknown,
  { topic, field }: Place,
  subject: string,
  terms: RegistryTerms,
): Error {
  const stand = standOf(error);
  if (stand === 'away') return registryFailure(error, `the latest schema of ${subject}`, terms);
  const text =
    stand === 'denied'
      ? `A ${field} for ${topic} cannot be encoded: the schema registry has no subject ${subject}. Register a schema, or name the topics that have some in the option topics of schemaRegistry()`
      : `A ${field} for ${topic} does not go with the schema of ${subject}: ${messageOf(error)}`;
  return new KafkaSchemaError(text, { topic, cause: error });
}
