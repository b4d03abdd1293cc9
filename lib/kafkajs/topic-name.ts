import { kafkaErrorFromNative, type KafkaJSError } from './errors/index.js';

/**
 * Kafka's rule for topic names. librdkafka does not check it, and would wait for a topic with an illegal name to
 * appear.
 */
const LEGAL_TOPIC = /^(?!\.{1,2}$)[\w.-]{1,249}$/;
/** Kafka's error code for an illegal topic name. */
const INVALID_TOPIC = 17;

/** Whether this is a legal topic name. */
export const isLegalTopic = (name: string): boolean => LEGAL_TOPIC.test(name);

/** The broker's error for an illegal topic name: `INVALID_TOPIC_EXCEPTION`, with the rule in its cause. */
export function invalidTopic(name: string): KafkaJSError {
  const message = `${JSON.stringify(name)} is no legal topic name: at most 249 of a-z, A-Z, 0-9, ".", "_" and "-"`;
  return kafkaErrorFromNative({ code: INVALID_TOPIC, message, topic: name });
}
