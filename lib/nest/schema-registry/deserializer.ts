import type { Deserializer } from '@nestjs/microservices';
import type { IncomingMessage } from '../context/incoming-message.js';
import { KafkaRequestDeserializer, KafkaResponseDeserializer } from '../internals.js';
import { TOPIC_AWARE, type TopicAware } from '../topic-aware.js';
import type { Schemas } from './schemas.js';

/** Decodes incoming messages, instead of NestJS's deserializers of servers and clients. */
export class SchemaRegistryDeserializer implements Deserializer<any, any> {
  /** @internal */
  readonly [TOPIC_AWARE]: TopicAware[typeof TOPIC_AWARE];
  readonly #schemas: Schemas;
  readonly #requests = new KafkaRequestDeserializer();
  readonly #replies = new KafkaResponseDeserializer();

  /** @internal */
  constructor(schemas: Schemas) {
    this.#schemas = schemas;
    this[TOPIC_AWARE] = { prepare: (topics) => schemas.warm(topics) };
  }

  /**
   * NestJS's packet of a message, with key and value decoded, also in the message that `context.getMessage()`
   * returns. A server passes the topic as `options.channel`, a client passes none.
   *
   * @throws KafkaSchemaError if it cannot be decoded; KafkaSchemaRegistryError if the registry does not answer.
   */
  deserialize(message: IncomingMessage, options?: { channel?: string }): any {
    const topic = options?.channel ?? message.topic;
    if (!this.#schemas.has(topic, 'value')) return this.#packet(message, options);
    return this.#decode(topic, message, options);
  }

  async #decode(topic: string, message: IncomingMessage, options?: { channel?: string }): Promise<unknown> {
    const schemas = this.#schemas;
    const [key, value] = await Promise.all([
      schemas.has(topic, 'key') ? schemas.decode(topic, 'key', message.key) : message.key,
      schemas.decode(topic, 'value', message.value),
    ]);
    message.key = key;
    message.value = value;
    return this.#packet(message, options);
  }

  #packet(message: IncomingMessage, options?: { channel?: string }): unknown {
    return options?.channel === undefined
      ? this.#replies.deserialize(message as any)
      : this.#requests.deserialize(message as any, options);
  }
}
