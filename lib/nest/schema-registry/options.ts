import { matches } from '../../kafkajs/group/subscriptions.js';
import type { SchemaRegistryLike } from './registries.js';

/** The part of a message that a schema is for. */
export type SchemaField = 'key' | 'value';

/** Options of {@link schemaRegistry}. */
export interface SchemaRegistryOptions {
  /**
   * Topics whose messages have schemas: names and regular expressions. Messages of other topics are handled as
   * without a registry. Reply topics count like all others. Default: all.
   */
  topics?: readonly (string | RegExp)[];
  /** Whether keys have schemas too. Default: `false`. */
  keys?: boolean;
  /**
   * Returns the subject for a topic. `data` is the value to encode; it is undefined when decoding, and when subjects
   * are collected before the start (then the result may be undefined). Default: `<topic>-value`, `<topic>-key`.
   */
  subject?: (topic: string, field: SchemaField, data?: unknown) => string | undefined;
  /**
   * `writer`: values are read with the schema they were written with. `latest`: they are read with the latest version
   * of their subject, so that missing fields get their defaults; for Avro, and with Confluent's client also by its
   * migration rules. Default: `"writer"`.
   */
  reader?: 'writer' | 'latest';
  /**
   * Whether the subjects' schemas are fetched before `listen()` and `connect()`, which then fail if the registry does
   * not answer. A list names more subjects to fetch. Default: `true`.
   */
  warm?: boolean | readonly string[];
  /**
   * With Confluent's client: additional options of its serializers and deserializers, for example `ruleConfig`.
   * Default: none.
   */
  confluent?: {
    /**
     * Options of `AvroSerializer`, `JsonSerializer` and `ProtobufSerializer`. Default: `{ useLatestVersion: true }`.
     */
    serializer?: Record<string, unknown>;
    /** Options of `AvroDeserializer`, `JsonDeserializer` and `ProtobufDeserializer`. */
    deserializer?: Record<string, unknown>;
  };
}

/** The checked options with their defaults. */
export interface CheckedSchemaOptions {
  readonly isWithSchema: (topic: string) => boolean;
  readonly keys: boolean;
  readonly subject: (topic: string, field: SchemaField, data?: unknown) => string | undefined;
  readonly readsLatest: boolean;
  readonly warm: boolean;
  readonly moreSubjects: readonly string[];
  readonly serializer: Record<string, unknown>;
  readonly deserializer: Record<string, unknown>;
}

type Test = (value: unknown) => boolean;
const isText: Test = (value) => typeof value === 'string' && value !== '';
const isList =
  (isItem: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(isItem);
const isObject: Test = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const CHECKS: Readonly<Record<keyof SchemaRegistryOptions, [expected: string, test: Test]>> = {
  topics: ['a list of names and expressions', isList((topic) => isText(topic) || topic instanceof RegExp)],
  keys: ['true or false', (value) => typeof value === 'boolean'],
  subject: ['a function (topic, field, data) => subject', (value) => typeof value === 'function'],
  reader: ["'writer' or 'latest'", (value) => value === 'writer' || value === 'latest'],
  warm: ['true, false or a list of subjects', (value) => typeof value === 'boolean' || isList(isText)(value)],
  confluent: ['an object with serializer and deserializer', isObject],
};

/** Checks the options; a misspelt one would otherwise leave topics without their schemas. */
export function checkSchemaOptions(options: SchemaRegistryOptions): CheckedSchemaOptions {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(CHECKS, name)) {
      throw new TypeError(
        `schemaRegistry() has no option ${name}: there are ${Object.keys(CHECKS).join(', ')}`,
      );
    }
    const [expected, test] = CHECKS[name as keyof SchemaRegistryOptions];
    if (!test(value)) throw new TypeError(`Option ${name} of schemaRegistry() must be ${expected}`);
  }
  const { topics, keys = false, subject = topicSubject, reader, warm = true, confluent = {} } = options;
  for (const name of Object.keys(confluent)) {
    if (name === 'serializer' || name === 'deserializer') continue;
    throw new TypeError(
      `schemaRegistry() has no option confluent.${name}: there are serializer and deserializer`,
    );
  }
  return {
    isWithSchema:
      topics === undefined ? () => true : (topic) => topics.some((one) => matchesTopic(one, topic)),
    keys,
    subject,
    readsLatest: reader === 'latest',
    warm: warm !== false,
    moreSubjects: typeof warm === 'boolean' ? [] : warm,
    serializer: confluent.serializer ?? {},
    deserializer: confluent.deserializer ?? {},
  };
}

/** Throws if a value is not a client of a registry (a URL, for example), naming what is missing. */
export function checkRegistry(registry: unknown): asserts registry is SchemaRegistryLike {
  if (isObject(registry)) {
    const { decode, getSchema, getBySubjectAndId } = registry as Record<string, unknown>;
    if (typeof getBySubjectAndId === 'function') return;
    if (typeof decode === 'function' && typeof getSchema === 'function') return;
  }
  throw new TypeError(
    'schemaRegistry() takes a registry client: a SchemaRegistry of @kafkajs/confluent-schema-registry, or a SchemaRegistryClient of @confluentinc/schemaregistry',
  );
}

/** Confluent's TopicNameStrategy. */
function topicSubject(topic: string, field: SchemaField): string {
  return `${topic}-${field}`;
}

function matchesTopic(wanted: string | RegExp, topic: string): boolean {
  return wanted instanceof RegExp ? matches(wanted, topic) : wanted === topic;
}
