import type { Serializer } from '@nestjs/microservices';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { serialize } from '../serialize.js';
import { TOPIC_AWARE, type TopicAware } from '../topic-aware.js';
import type { Schemas } from './schemas.js';

/**
 * Encodes outgoing messages, instead of NestJS's serializer: events, requests, and replies of this package's servers.
 */
export class SchemaRegistrySerializer implements Serializer<any, any> {
  /** @internal */
  readonly [TOPIC_AWARE]: TopicAware[typeof TOPIC_AWARE];
  readonly #schemas: Schemas;

  /** @internal */
  constructor(schemas: Schemas) {
    this.#schemas = schemas;
    this[TOPIC_AWARE] = { prepare: (topics) => schemas.warm(topics) };
  }

  /** Creates the Kafka message: an object with `key` or `value` is one already, anything else becomes its value. */
  serialize(data: any, options?: { pattern?: string }): object | Promise<object> {
    const topic = options?.pattern;
    // NestJS's own server does not pass the reply's topic.
    if (topic === undefined || !this.#schemas.has(topic, 'value')) return serialize(data);
    return this.#encode(topic, data);
  }

  async #encode(topic: string, data: any): Promise<OutgoingRecord> {
    const isMessage = typeof data === 'object' && data !== null && ('key' in data || 'value' in data);
    const { key, value, ...rest } = isMessage ? data : { key: undefined, value: data };
    const schemas = this.#schemas;
    const hasKey = schemas.has(topic, 'key') && key !== undefined;
    const [encodedKey, encoded] = await Promise.all([
      hasKey ? schemas.encode(topic, 'key', key) : key,
      schemas.encode(topic, 'value', value),
    ]);
    return serialize({ ...rest, key: encodedKey, value: encoded });
  }
}
