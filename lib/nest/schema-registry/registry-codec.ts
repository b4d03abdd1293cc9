import type { SchemaField } from './options.js';

/** Encodes and decodes what is in Confluent's wire format. Failures come as the registry's client has them. */
export interface RegistryCodec {
  /** Fetches the schemas of a subject; a subject that is not there is none. */
  warm(subject: string): Promise<void>;
  /** Encodes with the latest schema of the subject, as it was when it was first asked for. */
  encode(subject: string, topic: string, field: SchemaField, data: unknown): Promise<Buffer>;
  /** Decodes with the schema whose id the bytes begin with. */
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

/** What was begun once by its key. What fails is begun anew the next time. */
export class Once<Value> {
  readonly #begun = new Map<string, Promise<Value>>();

  /** What `begin` comes to. */
  get(key: string, begin: () => Promise<Value>): Promise<Value> {
    const known = this.#begun.get(key);
    if (known !== undefined) return known;
    const value = begin();
    this.#begun.set(key, value);
    value.catch(() => this.#begun.delete(key));
    return value;
  }
}
