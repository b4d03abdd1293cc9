/** What is used of the `SchemaRegistry` of `@kafkajs/confluent-schema-registry`, version 3. */
export interface KafkajsSchemaRegistry {
  /** The schema of an id, which it keeps. */
  getSchema(registryId: number): Promise<KafkajsSchema>;
  /** The id of a version of a subject. */
  getRegistryId(subject: string, version: number | string): Promise<number>;
  /** The id of the latest version of a subject. */
  getLatestSchemaId(subject: string): Promise<number>;
  /** The bytes of a value, in the wire format. */
  encode(registryId: number, payload: any): Promise<Buffer>;
  /** The value that bytes in the wire format have. */
  decode(buffer: Buffer): Promise<any>;
}

/** What is used of a schema of `@kafkajs/confluent-schema-registry`. */
export interface KafkajsSchema {
  /** Reads a value, of Avro also one of another schema. */
  fromBuffer(buffer: Buffer, resolver?: any): any;
  /** Of Avro alone: what reads values of `writer` as values of this schema. */
  createResolver?(writer: any): unknown;
}

/** What is used of the `SchemaRegistryClient` of `@confluentinc/schemaregistry`, version 1. */
export interface ConfluentSchemaRegistryClient {
  /** The schema of an id, which it keeps. */
  getBySubjectAndId(subject: string, id: number, format?: string): Promise<ConfluentSchema>;
  /** The latest version of a subject, which it keeps. */
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

/** What is used of a schema of `@confluentinc/schemaregistry`. */
export interface ConfluentSchema {
  /** `AVRO` where it is left out. */
  schemaType?: string;
  /** Its id, of a version. */
  id?: number;
}

/** A client of a schema registry: of one of the two packages. */
export type SchemaRegistryLike = KafkajsSchemaRegistry | ConfluentSchemaRegistryClient;
