/**
 * Schemas in a registry: Avro, JSON Schema and Protobuf in Confluent's wire format, over `@kafkajs/confluent-schema-registry` or
 * `@confluentinc/schemaregistry`, one of which the application installs.
 *
 * @packageDocumentation
 */
export { schemaRegistry, type SchemaRegistryCodecs } from './nest/schema-registry/schema-registry.js';
export type { SchemaField, SchemaRegistryOptions } from './nest/schema-registry/options.js';
export type {
  ConfluentSchema,
  ConfluentSchemaRegistryClient,
  KafkajsSchema,
  KafkajsSchemaRegistry,
  SchemaRegistryLike,
} from './nest/schema-registry/registries.js';
export type { SchemaRegistryDeserializer } from './nest/schema-registry/deserializer.js';
export type { SchemaRegistrySerializer } from './nest/schema-registry/serializer.js';
