import { ConfluentCodec } from './confluent-codec.js';
import { SchemaRegistryDeserializer } from './deserializer.js';
import { KafkajsCodec } from './kafkajs-codec.js';
import { checkRegistry, checkSchemaOptions, type SchemaRegistryOptions } from './options.js';
import type { SchemaRegistryLike } from './registries.js';
import { Schemas } from './schemas.js';
import { SchemaRegistrySerializer } from './serializer.js';

/** The result of {@link schemaRegistry}: two options of servers and clients. */
export interface SchemaRegistryCodecs {
  /** Encodes outgoing messages. */
  serializer: SchemaRegistrySerializer;
  /** Decodes incoming messages. */
  deserializer: SchemaRegistryDeserializer;
}

/**
 * The options `serializer` and `deserializer` of a server or client whose messages have schemas in a registry:
 *
 * ```ts
 * new ServerKafka({ client, consumer, ...schemaRegistry(new SchemaRegistry({ host })) });
 * ```
 *
 * @param registry a `SchemaRegistry` of `@kafkajs/confluent-schema-registry`, or a `SchemaRegistryClient` of
 * `@confluentinc/schemaregistry`; created by the application, with its address and credentials
 * @throws TypeError for an option that is unknown or wrong.
 */
export function schemaRegistry(
  registry: SchemaRegistryLike,
  options: SchemaRegistryOptions = {},
): SchemaRegistryCodecs {
  checkRegistry(registry);
  const checked = checkSchemaOptions(options);
  const codec =
    'getBySubjectAndId' in registry
      ? new ConfluentCodec(registry, checked)
      : new KafkajsCodec(registry, checked.readsLatest);
  const schemas = new Schemas(codec, checked);
  return {
    serializer: new SchemaRegistrySerializer(schemas),
    deserializer: new SchemaRegistryDeserializer(schemas),
  };
}
