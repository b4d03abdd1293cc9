import { isDenied } from './failures.js';
import type { SchemaField } from './options.js';
import type { KafkajsSchema, KafkajsSchemaRegistry } from './registries.js';
import { MOST_WARMED, Once, type RegistryCodec } from './registry-codec.js';
import type { RegistryTerms } from './registry-failure.js';

const HEADER = 5;

/** Uses `@kafkajs/confluent-schema-registry`. */
export class KafkajsCodec implements RegistryCodec {
  readonly terms: RegistryTerms = {
    addresses: () => [],
    address: 'host of new SchemaRegistry()',
    credentials: 'auth: { username, password } of new SchemaRegistry()',
    certificates: 'agent: new https.Agent({ ca }) of new SchemaRegistry()',
  };
  readonly #registry: KafkajsSchemaRegistry;
  readonly #readsLatest: boolean;
  readonly #latest = new Once<number>();
  /** Avro resolvers by reader and writer schema. Creating one takes longer than reading a value. */
  readonly #resolvers = new Map<string, unknown>();

  constructor(registry: KafkajsSchemaRegistry, readsLatest: boolean) {
    this.#registry = registry;
    this.#readsLatest = readsLatest;
  }

  async warm(subject: string): Promise<void> {
    let latest: number;
    try {
      latest = await this.#latestId(subject);
    } catch (error) {
      if (isDenied(error)) return;
      throw error;
    }
    await this.#registry.getSchema(latest);
    // This client cannot list versions; their numbers have gaps only for deleted versions.
    for (let version = 1; version <= MOST_WARMED; version++) {
      const id = await this.#registry.getRegistryId(subject, version).catch((error: unknown) => {
        if (!isDenied(error)) throw error;
      });
      if (id === latest) return;
      if (id !== undefined) await this.#registry.getSchema(id);
    }
  }

  async encode(subject: string, _topic: string, _field: SchemaField, data: unknown): Promise<Buffer> {
    return this.#registry.encode(await this.#latestId(subject), data);
  }

  async decode(
    subject: string,
    _topic: string,
    _field: SchemaField,
    schemaId: number,
    bytes: Buffer,
  ): Promise<unknown> {
    if (!this.#readsLatest) return this.#registry.decode(bytes);
    const latest = await this.#latestId(subject);
    if (latest === schemaId) return this.#registry.decode(bytes);
    const [reader, writer] = await Promise.all([
      this.#registry.getSchema(latest),
      this.#registry.getSchema(schemaId),
    ]);
    const resolver = this.#resolver(reader, writer, `${latest} ${schemaId}`);
    return resolver === undefined
      ? this.#registry.decode(bytes)
      : reader.fromBuffer(bytes.subarray(HEADER), resolver);
  }

  #latestId(subject: string): Promise<number> {
    return this.#latest.get(subject, () => this.#registry.getLatestSchemaId(subject));
  }

  #resolver(reader: KafkajsSchema, writer: KafkajsSchema, pair: string): unknown {
    let resolver = this.#resolvers.get(pair);
    // JSON Schema and Protobuf need no resolver: their encodings identify fields.
    if (resolver === undefined && reader.createResolver && writer.createResolver) {
      resolver = reader.createResolver(writer);
      this.#resolvers.set(pair, resolver);
    }
    return resolver;
  }
}
