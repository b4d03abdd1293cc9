import type {
  ConnectEvent,
  DisconnectEvent,
  InstrumentationEvent,
  RequestEvent,
  RequestQueueSizeEvent,
  RequestTimeoutEvent,
  StatisticsEvent,
} from './events.js';

/** Names of a producer's events. */
export type ProducerEvents = {
  /** The client has connected. */
  CONNECT: 'producer.connect';
  /** The client has disconnected. */
  DISCONNECT: 'producer.disconnect';
  /** A broker has answered a request. */
  REQUEST: 'producer.network.request';
  /** A broker has not answered a request in time. */
  REQUEST_TIMEOUT: 'producer.network.request_timeout';
  /** How many requests wait to be sent to a broker. */
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size';
};

/** A reply to a request could not be sent. Emitted by the producer of a `ServerKafka`. An extension of kafkajs. */
export type ProducerReplyFailedEvent = InstrumentationEvent<{
  /** Reply topic. */
  topic: string;
  /** Reply partition; null if the request named none. */
  partition: number | null;
  /** librdkafka's or Kafka's code of the error. */
  code: number;
  /** Its text. */
  message: string;
  /** The request, if an error reply could not be sent either; null if it was sent. */
  lost: {
    /** Its topic. */
    topic: string;
    /** Its partition. */
    partition: number;
    /** Its offset. */
    offset: string;
    /** Whether the request will be handled again; otherwise it counts as handled. */
    comesAgain: boolean;
  } | null;
}>;

/** The event of each of a producer's event names. */
export interface ProducerEventMap {
  /** The producer has connected. */
  'producer.connect': ConnectEvent;
  /** The producer has disconnected. */
  'producer.disconnect': DisconnectEvent;
  /** A broker has answered a request. */
  'producer.network.request': RequestEvent;
  /** A broker has not answered a request in time. */
  'producer.network.request_timeout': RequestTimeoutEvent;
  /** Never emitted. */
  'producer.network.request_queue_size': RequestQueueSizeEvent;
  /** A reply could not be sent. An extension of this package. */
  'producer.reply_failed': ProducerReplyFailedEvent;
  /** librdkafka’s statistics. An extension of this package. */
  'producer.statistics': StatisticsEvent;
}
