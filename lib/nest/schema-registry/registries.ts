/** The part of `SchemaRegistry` of `@kafkajs/confluent-schema-registry` (version 3) that is used. */
export interface KafkajsSchemaRegistry {
  /** The schema with an id; cached. */
  getSchema(registryId: number): Promise<KafkajsSchema>;
  /** The id of a version of a subject. */
  getRegistryId(subject: string, version: number | string): Promise<number>;
  /** The id of the latest version of a subject. */
  getLatestSchemaId(subject: string): Promise<number>;
  /** Encodes a value in the wire format. */
  encode(registryId: number, payload: any): Promise<Buffer>;
  /** Decodes bytes in the wire format. */
  decode(buffer: Buffer): Promise<any>;
}

/** The part of a schema of `@kafkajs/confluent-schema-registry` that is used. */
export interface KafkajsSchema {
  /** Decodes a value; with an Avro resolver also one written with another schema. */
  fromBuffer(buffer: Buffer, resolver?: any): any;
  /** Avro only: creates a resolver that reads values of `writer` as values of this schema. */
  createResolver?(writer: any): unknown;
}

/** The part of `SchemaRegistryClient` of `@confluentinc/schemaregistry` (version 1) that is used. */
export interface ConfluentSchemaRegistryClient {
  /** The schema with an id; cached. */
  getBySubjectAndId(subject: string, id: number, format?: string): Promise<ConfluentSchema>;
  /** The latest version of a subject; cached. */
  getLatestSchemaMetadata(subject: string, format?: string): Promise<ConfluentSchema>;
  /** A version of a subject. */
  getSchemaMetadata(
    subject: string,
    version: number,
    deleted?: boolean,
    format?: string,
  ): Promise<ConfluentSchema>;
  /** The numbers of the versions of a subject. */
  getAllVersions(subject: string): Promise<number[]>;
}

/** The part of a schema of `@confluentinc/schemaregistry` that is used. */
export interface ConfluentSchema {
  /** `AVRO` if it is left out. */
  schemaType?: string;
  /** Its id, if it is a version of a subject. */
  id?: number;
}

/** A client of a schema registry, from one of the two packages. */
export type SchemaRegistryLike = KafkajsSchemaRegistry | ConfluentSchemaRegistryClient;
