/** The union of an object type's values. */
export type ValueOf<T> = T[keyof T];

/** The argument of a listener. */
export interface InstrumentationEvent<T> {
  /** The number of the event in the process. A number, as in kafkajs, although its types say string. */
  id: string;
  /** The event’s name. */
  type: string;
  /** Milliseconds since the epoch. */
  timestamp: number;
  /** What the event is about. */
  payload: T;
}

/** Removes the listener for which it was returned. */
export type RemoveInstrumentationEventListener<_T> = () => void;

/** A client connected. */
export type ConnectEvent = InstrumentationEvent<null>;

/** A client disconnected. */
export type DisconnectEvent = InstrumentationEvent<null>;

/**
 * A broker has answered a request. librdkafka reports when a request was sent, not when it was created, so
 * `createdAt` is `sentAt` and `pendingDuration` 0.
 */
export type RequestEvent = InstrumentationEvent<{
  /** The request’s number in the protocol. */
  apiKey: number;
  /** The request’s name. */
  apiName: string;
  /** The version of the request. */
  apiVersion: number;
  /** The broker, as `host:port`. */
  broker: string;
  /** The client’s id. */
  clientId: string;
  /** The request’s number on its connection. */
  correlationId: number;
  /** When the request was made, in milliseconds since the epoch; the same as `sentAt`. */
  createdAt: number;
  /** Milliseconds that it took. */
  duration: number;
  /** Milliseconds that it waited to be sent; always 0. */
  pendingDuration: number;
  /** When it was sent, in milliseconds since the epoch. */
  sentAt: number;
  /** The size of the response in bytes. */
  size: number;
}>;

/** A broker has not answered a request in time. */
export type RequestTimeoutEvent = InstrumentationEvent<{
  /** The request’s number in the protocol. */
  apiKey: number;
  /** The request’s name. */
  apiName: string;
  /** The version of the request. */
  apiVersion: number;
  /** The broker, as `host:port`. */
  broker: string;
  /** The client’s id. */
  clientId: string;
  /** The request’s number on its connection. */
  correlationId: number;
  /** When the request was made, in milliseconds since the epoch; the same as `sentAt`. */
  createdAt: number;
  /** Milliseconds that it waited to be sent; always 0. */
  pendingDuration: number;
  /** When it was sent, in milliseconds since the epoch. */
  sentAt: number;
}>;

/** Requests that wait to be sent to a broker. Emitted by consumers only, with librdkafka's statistics. */
export type RequestQueueSizeEvent = InstrumentationEvent<{
  /** The broker, as `host:port`. */
  broker: string;
  /** The client’s id. */
  clientId: string;
  /** How many requests wait. */
  queueSize: number;
}>;

/**
 * librdkafka's statistics (its STATISTICS.md), every `librdkafka["statistics.interval.ms"]` milliseconds. An
 * extension of kafkajs; its other fields depend on librdkafka's version.
 */
export type StatisticsEvent = InstrumentationEvent<{
  /** Name of the client instance. */
  name: string;
  /** The `clientId`. */
  client_id: string;
  /** The kind of client. */
  type: 'consumer' | 'producer';
  /** Microseconds of an internal clock. */
  ts: number;
  /** Seconds since the epoch. */
  time: number;
  /** Statistics of each broker, by its name. */
  brokers: Record<string, Record<string, unknown>>;
  /** Statistics of each topic, by its name. */
  topics: Record<string, Record<string, unknown>>;
  [name: string]: unknown;
}>;
