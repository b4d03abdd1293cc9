import { isDenied } from './failures.js';
import type { CheckedSchemaOptions, SchemaField } from './options.js';
import type { ConfluentSchemaRegistryClient } from './registries.js';
import { MOST_WARMED, Once, type RegistryCodec } from './registry-codec.js';
import type { RegistryTerms } from './registry-failure.js';

const PACKAGE = '@confluentinc/schemaregistry';

interface ConfluentSerde {
  serialize(topic: string, message: unknown): Promise<Buffer>;
  deserialize(topic: string, payload: Buffer): Promise<unknown>;
}

type SerdeClass = new (client: object, type: string, config: object) => ConfluentSerde;

/** The prefix of the package's class names, by the registry's name of the format. */
const FORMATS: Readonly<Record<string, string>> = { AVRO: 'Avro', JSON: 'Json', PROTOBUF: 'Protobuf' };
/**
 * The format that its Protobuf classes request. Its client caches a schema whatever format was requested, so the
 * first request has to use this one too; for other schema types it makes no difference.
 */
const SERIALIZED = 'serialized';

/** Uses the serializers and deserializers of `@confluentinc/schemaregistry`. */
export class ConfluentCodec implements RegistryCodec {
  readonly terms: RegistryTerms = {
    // The client keeps what it was given, and says it in no error.
    addresses: () =>
      (this.#client as { clientConfig?: { baseURLs?: readonly string[] } }).clientConfig?.baseURLs ?? [],
    address: 'baseURLs of new SchemaRegistryClient()',
    credentials: 'basicAuthCredentials or bearerAuthCredentials of new SchemaRegistryClient()',
    certificates:
      'createAxiosDefaults: { httpsAgent: new https.Agent({ ca }) } of new SchemaRegistryClient()',
  };
  readonly #client: ConfluentSchemaRegistryClient;
  readonly #options: CheckedSchemaOptions;
  readonly #serdes = new Once<ConfluentSerde>();

  constructor(client: ConfluentSchemaRegistryClient, options: CheckedSchemaOptions) {
    this.#client = client;
    this.#options = options;
  }

  async warm(subject: string): Promise<void> {
    try {
      await this.#client.getLatestSchemaMetadata(subject, SERIALIZED);
      const versions = await this.#client.getAllVersions(subject);
      for (const version of versions.toSorted((a, b) => b - a).slice(0, MOST_WARMED)) {
        const { id } = await this.#client.getSchemaMetadata(subject, version, false, SERIALIZED);
        if (id !== undefined) await this.#client.getBySubjectAndId(subject, id, SERIALIZED);
      }
    } catch (error) {
      if (!isDenied(error)) throw error;
    }
  }

  async encode(subject: string, topic: string, field: SchemaField, data: unknown): Promise<Buffer> {
    const { schemaType } = await this.#client.getLatestSchemaMetadata(subject, SERIALIZED);
    const serializer = await this.#serde('Serializer', schemaType, subject, field, {
      useLatestVersion: true,
      ...this.#options.serializer,
    });
    return serializer.serialize(topic, data);
  }

  async decode(
    subject: string,
    topic: string,
    field: SchemaField,
    schemaId: number,
    bytes: Buffer,
  ): Promise<unknown> {
    const { schemaType } = await this.#client.getBySubjectAndId(subject, schemaId, SERIALIZED);
    const deserializer = await this.#serde('Deserializer', schemaType, subject, field, {
      useLatestVersion: this.#options.readsLatest,
      ...this.#options.deserializer,
    });
    return deserializer.deserialize(topic, bytes);
  }

  /** One serializer per subject: the subject may depend on data that the package does not pass to its strategies. */
  #serde(
    what: 'Serializer' | 'Deserializer',
    schemaType = 'AVRO',
    subject: string,
    field: SchemaField,
    config: object,
  ): Promise<ConfluentSerde> {
    return this.#serdes.get(`${what} ${schemaType} ${field} ${subject}`, async () => {
      const format = FORMATS[schemaType];
      if (format === undefined) throw new Error(`${PACKAGE} has no ${what.toLowerCase()} for ${schemaType}`);
      const Serde = (await serdes())[`${format}${what}`] as SerdeClass;
      return new Serde(this.#client, field.toUpperCase(), {
        subjectNameStrategy: () => subject,
        ...config,
      });
    });
  }
}

/** Loaded on first use: applications with the other package need not install it. */
async function serdes(): Promise<Record<string, unknown>> {
  const loaded = (await import(PACKAGE)) as Record<string, unknown>;
  return (loaded['default'] ?? loaded) as Record<string, unknown>;
}
