import { KafkaSchemaError } from '../../kafkajs/errors/index.js';
import { decodingFailure, encodingFailure, unframed, type Place } from './failures.js';
import type { CheckedSchemaOptions, SchemaField } from './options.js';
import type { RegistryCodec } from './registry-codec.js';
import { registryFailure } from './registry-failure.js';

const MAGIC_BYTE = 0;
const HEADER = 5;

/** Keys and values in Confluent's wire format, by topic. */
export class Schemas {
  readonly #codec: RegistryCodec;
  readonly #options: CheckedSchemaOptions;

  constructor(codec: RegistryCodec, options: CheckedSchemaOptions) {
    this.#codec = codec;
    this.#options = options;
  }

  /** Whether the keys, or values, of a topic have schemas. */
  has(topic: string, field: SchemaField): boolean {
    return (field === 'value' || this.#options.keys) && this.#options.isWithSchema(topic);
  }

  /**
   * Fetches the schemas of topics.
   *
   * @throws KafkaSchemaRegistryError when the registry does not answer.
   */
  async warm(topics: readonly string[]): Promise<void> {
    const { warm, keys, subject, isWithSchema, moreSubjects } = this.#options;
    if (!warm) return;
    const fields: SchemaField[] = keys ? ['key', 'value'] : ['value'];
    const named = topics
      .filter(isWithSchema)
      .flatMap((topic) => fields.map((field) => subject(topic, field, undefined)));
    const subjects = new Set([...named, ...moreSubjects].filter((name) => name !== undefined));
    await Promise.all(Array.from(subjects, (name) => this.#warm(name)));
  }

  async #warm(subject: string): Promise<void> {
    try {
      await this.#codec.warm(subject);
    } catch (error) {
      throw registryFailure(error, `the schemas of ${subject}`, this.#codec.terms);
    }
  }

  /**
   * Encodes a key or value. Bytes and null stay as they are.
   *
   * @throws KafkaSchemaError, KafkaSchemaRegistryError
   */
  async encode(topic: string, field: SchemaField, data: unknown): Promise<Buffer | null> {
    if (data === null || data === undefined) return null;
    if (Buffer.isBuffer(data)) return data;
    const subject = this.#options.subject(topic, field, data);
    if (typeof subject !== 'string') {
      throw new KafkaSchemaError(
        `A ${field} for ${topic} cannot be encoded: the option subject of schemaRegistry() named no subject`,
        { topic },
      );
    }
    try {
      return await this.#codec.encode(subject, topic, field, data);
    } catch (error) {
      throw encodingFailure(error, { topic, field }, subject, this.#codec.terms);
    }
  }

  /**
   * Decodes the bytes of a key or value.
   *
   * @throws KafkaSchemaError, KafkaSchemaRegistryError
   */
  async decode(topic: string, field: SchemaField, bytes: unknown): Promise<unknown> {
    if (bytes === null || bytes === undefined) return null;
    if (!Buffer.isBuffer(bytes) || bytes.length < HEADER || bytes[0] !== MAGIC_BYTE) {
      throw unframed(bytes, { topic, field });
    }
    const schemaId = bytes.readInt32BE(1);
    const place: Place = { topic, field, schemaId };
    try {
      const subject = this.#options.subject(topic, field) ?? '';
      return await this.#codec.decode(subject, topic, field, schemaId, bytes);
    } catch (error) {
      throw decodingFailure(error, place, this.#codec.terms);
    }
  }
}
