import { kafkaErrorFromNative, type KafkaJSError } from './errors/index.js';

/** What Kafka allows as a topic's name. librdkafka would wait for a topic of any name to appear. */
const LEGAL_TOPIC = /^(?!\.{1,2}$)[\w.-]{1,249}$/;
/** The protocol's code for another name. */
const INVALID_TOPIC = 17;

/** Whether a topic can have this name. */
export const isLegalTopic = (name: string): boolean => LEGAL_TOPIC.test(name);

/** What a broker says of a name that no topic can have: `INVALID_TOPIC_EXCEPTION`, with the rule in its cause. */
export function invalidTopic(name: string): KafkaJSError {
  const message = `${JSON.stringify(name)} is no legal topic name: at most 249 of a-z, A-Z, 0-9, ".", "_" and "-"`;
  return kafkaErrorFromNative({ code: INVALID_TOPIC, message, topic: name });
}
