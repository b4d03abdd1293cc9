import type { SchemaField } from './options.js';
import type { RegistryTerms } from './registry-failure.js';

/** Encodes and decodes values in Confluent's wire format. Rejects with the errors of the registry's client. */
export interface RegistryCodec {
  /** For errors of the registry. */
  readonly terms: RegistryTerms;
  /** Fetches the schemas of a subject; does nothing if the subject does not exist. */
  warm(subject: string): Promise<void>;
  /** Encodes with the latest schema of the subject as of the first use. */
  encode(subject: string, topic: string, field: SchemaField, data: unknown): Promise<Buffer>;
  /** Decodes with the schema whose id is at the start of the bytes. */
  decode(
    subject: string,
    topic: string,
    field: SchemaField,
    schemaId: number,
    bytes: Buffer,
  ): Promise<unknown>;
}

/** The most versions of a subject that are fetched at the start. */
export const MOST_WARMED = 50;

/** Runs an asynchronous operation once per key and shares its result. A failed one is retried at the next call. */
export class Once<Value> {
  readonly #begun = new Map<string, Promise<Value>>();

  /** The result of `begin`, which runs only for the first call with a key. */
  get(key: string, begin: () => Promise<Value>): Promise<Value> {
    const known = this.#begun.get(key);
    if (known !== undefined) return known;
    const value = begin();
    this.#begun.set(key, value);
    value.catch(() => this.#begun.delete(key));
    return value;
  }
}
