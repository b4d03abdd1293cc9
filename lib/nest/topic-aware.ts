/** The property of serializers and deserializers that need topics. The same symbol in both builds of the package. */
export const TOPIC_AWARE: unique symbol = Symbol.for('nestjs-kafka-native.topic-aware');

/** A serializer or deserializer whose work depends on the topic. */
export interface TopicAware {
  readonly [TOPIC_AWARE]: {
    /** Called before anything is read or sent, with the topics known by then. */
    prepare(topics: readonly string[]): Promise<void>;
  };
}

/** Whether a serializer or deserializer needs topics. NestJS does not pass it the topic of a reply. */
export function isTopicAware(codec: object): codec is TopicAware {
  return TOPIC_AWARE in codec;
}

/** Calls `prepare` of the application's serializer and deserializer, if they are topic-aware. */
export async function prepareTopics(
  codecs: readonly object[],
  topics: Iterable<string | RegExp>,
): Promise<void> {
  const aware = new Set(codecs.filter(isTopicAware).map((codec) => codec[TOPIC_AWARE]));
  if (aware.size === 0) return;
  const named = [...topics].filter((topic) => typeof topic === 'string');
  await Promise.all(Array.from(aware, (each) => each.prepare(named)));
}
