import { matches } from '../../kafkajs/group/subscriptions.js';
import type { SchemaRegistryLike } from './registries.js';

/** Which part of a message a schema is of. */
export type SchemaField = 'key' | 'value';

/** Options of {@link schemaRegistry}. */
export interface SchemaRegistryOptions {
  /**
   * Topics whose messages have schemas: names, and expressions that match them. What goes to others, and comes from them, is as without
   * a registry. Topics of replies count like all others. Default: all.
   */
  topics?: readonly (string | RegExp)[];
  /** Whether keys have schemas, too. Default: `false`. */
  keys?: boolean;
  /**
   * The subject of what is sent to a topic; `data` is what is to be encoded, and undefined where nothing is: while the subjects are looked
   * at before the start (it may then answer undefined), and where something is decoded. Default: `<topic>-value`, `<topic>-key`.
   */
  subject?: (topic: string, field: SchemaField, data?: unknown) => string | undefined;
  /**
   * `writer`: a value is as it was written. `latest`: it is read as one of the latest version that its subject has, so that fields that
   * are missing get their defaults; of Avro, and with Confluent's client also by its migration rules. Default: `"writer"`.
   */
  reader?: 'writer' | 'latest';
  /**
   * Whether the schemas of the subjects are fetched before `listen()` and `connect()`, which fail without a registry then; a list names
   * more subjects. Default: `true`.
   */
  warm?: boolean | readonly string[];
  /** With Confluent's client: what its serializers and deserializers are made with besides, for example `ruleConfig`. Default: nothing. */
  confluent?: {
    /** Of `AvroSerializer`, `JsonSerializer` and `ProtobufSerializer`. Default: `{ useLatestVersion: true }`. */
    serializer?: Record<string, unknown>;
    /** Of `AvroDeserializer`, `JsonDeserializer` and `ProtobufDeserializer`. */
    deserializer?: Record<string, unknown>;
  };
}

/** The options, checked and filled in. */
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

/** Checks the options: one that is misspelt would leave topics without their schemas. */
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

/** Says what is missing of a registry's client: a URL, for example, is none. */
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
