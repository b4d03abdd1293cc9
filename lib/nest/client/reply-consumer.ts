import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { SendOptions } from '../../options/index.js';
import type { NestKafkaOptions } from '../options/index.js';
import type { Requests } from './requests.js';

/** What the consumer of a client's replies is made with. */
export interface ReplyConsumerParts {
  readonly client: Kafka;
  readonly options: NestKafkaOptions;
  readonly groupId: string;
  readonly sendOptions: SendOptions;
  /** The producer of the requests, whose handle makes their correlation ids with the consumer's. */
  readonly producer: Producer;
  readonly requests: Requests;
  /** The partition of each reply topic has changed; none is left when the consumer has been closed. */
  readonly onReplyPartitions: (partitions: Record<string, number>) => void;
}

/** Makes the consumer of a client's replies. Nothing is connected yet. */
export function replyConsumer(parts: ReplyConsumerParts): Consumer {
  const { client, options, groupId, sendOptions, producer, requests } = parts;
  const { replies } = requests;
  return client.consumer(
    { ...options.consumer, groupId },
    {
      onReplies: (batch) => replies.accept(batch),
      created: (native, correlationPrefix) => {
        requests.correlationPrefix = correlationPrefix ?? '';
        producer.attach(native, sendOptions);
      },
      assigned: options.replies === 'assigned',
      replyTimeout: options.replyTimeout,
      onRequestsExpired: (expired) => replies.expired(expired),
      // Another one does not know of the requests of this one.
      closed: () => {
        parts.onReplyPartitions({});
        replies.stopped();
      },
      onReplyPartitions: (partitions, read) => {
        parts.onReplyPartitions(partitions);
        replies.moved(read);
      },
    },
  );
}
