import type { Deserializer } from '@nestjs/microservices';
import type { IncomingMessage } from '../context/incoming-message.js';
import { KafkaRequestDeserializer, KafkaResponseDeserializer } from '../internals.js';
import { TOPIC_AWARE, type TopicAware } from '../topic-aware.js';
import type { Schemas } from './schemas.js';

/** Decodes what arrives, in place of NestJS's deserializers: that of a server, and that of a client. */
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
   * What NestJS makes of a message, with its key and value decoded; in the message, which `context.getMessage()` answers, they are then,
   * too. A server names the topic as `options.channel`, a client names none.
   *
   * @throws KafkaSchemaError where it cannot be decoded; KafkaSchemaRegistryError where the registry does not answer.
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
