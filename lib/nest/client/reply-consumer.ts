import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { SendOptions } from '../../options/index.js';
import type { NestKafkaOptions } from '../options/index.js';
import type { Requests } from './requests.js';

/** Options of the consumer of a client's replies. */
export interface ReplyConsumerParts {
  readonly client: Kafka;
  readonly options: NestKafkaOptions;
  readonly groupId: string;
  readonly sendOptions: SendOptions;
  /** The producer of the requests, which creates correlation ids with the consumer's prefix. */
  readonly producer: Producer;
  readonly requests: Requests;
  /** Called when the reply partitions have changed; with none when the consumer was closed. */
  readonly onReplyPartitions: (partitions: Record<string, number>) => void;
}

/** Creates the consumer of a client's replies, without connecting. */
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
      // A later native consumer does not know the requests of this one.
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
