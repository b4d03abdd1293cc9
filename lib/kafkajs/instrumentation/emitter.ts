import { EventEmitter } from 'node:events';
import { runCallback } from '../../application/callbacks.js';
import { KafkaJSError, KafkaJSNonRetriableError } from '../errors/index.js';
import { nextEventId } from './event-ids.js';
import type {
  AdminEvents,
  ConsumerEvents,
  InstrumentationEvent,
  Logger,
  ProducerEvents,
  RemoveInstrumentationEventListener,
} from '../types/index.js';

/** Names of a consumer's events; `consumer.events`. */
export const consumerEvents: ConsumerEvents = {
  HEARTBEAT: 'consumer.heartbeat',
  COMMIT_OFFSETS: 'consumer.commit_offsets',
  GROUP_JOIN: 'consumer.group_join',
  FETCH: 'consumer.fetch',
  FETCH_START: 'consumer.fetch_start',
  START_BATCH_PROCESS: 'consumer.start_batch_process',
  END_BATCH_PROCESS: 'consumer.end_batch_process',
  CONNECT: 'consumer.connect',
  DISCONNECT: 'consumer.disconnect',
  STOP: 'consumer.stop',
  CRASH: 'consumer.crash',
  REBALANCING: 'consumer.rebalancing',
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics',
  REQUEST: 'consumer.network.request',
  REQUEST_TIMEOUT: 'consumer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'consumer.network.request_queue_size',
};

/**
 * An event of a consumer that kafkajs does not have: a handler runs longer than `consumer.handlerTimeout`. It is not in
 * `consumer.events`, which is kafkajs's list.
 */
export const HANDLER_TIMEOUT = 'consumer.handler_timeout';
/** Another extension: all handlers that had passed that limit have ended. */
export const HANDLER_RECOVERED = 'consumer.handler_recovered';

/** Another extension: partitions are stalled for longer than `consumer.stallTimeout`. */
export const CONSUMER_STALLED = 'consumer.stalled';
/** Another extension: none of these partitions is stalled any more. */
export const CONSUMER_STALL_ENDED = 'consumer.stall_ended';

/** An event of a server's producer that kafkajs does not have: a reply could not be sent. It is not in `producer.events`. */
export const REPLY_FAILED = 'producer.reply_failed';

/**
 * An event that kafkajs does not have: librdkafka's statistics, every `librdkafka["statistics.interval.ms"]`. It is
 * not in `events`, which are kafkajs's.
 */
const STATISTICS = 'statistics';

/** Names of a producer's events; `producer.events`. */
export const producerEvents: ProducerEvents = {
  CONNECT: 'producer.connect',
  DISCONNECT: 'producer.disconnect',
  REQUEST: 'producer.network.request',
  REQUEST_TIMEOUT: 'producer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size',
};

/** Names of an admin client's events; `admin.events`. */
export const adminEvents: AdminEvents = {
  CONNECT: 'admin.connect',
  DISCONNECT: 'admin.disconnect',
  REQUEST: 'admin.network.request',
  REQUEST_TIMEOUT: 'admin.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size',
};

/** The kinds of clients that emit events. */
export type EventRole = 'consumer' | 'producer' | 'admin';

const EVENTS: Record<EventRole, Record<string, string>> = {
  consumer: consumerEvents,
  producer: producerEvents,
  admin: adminEvents,
};

/** What each kind emits beyond kafkajs's events. */
const EXTENSIONS: Record<EventRole, readonly string[]> = {
  consumer: [
    HANDLER_TIMEOUT,
    HANDLER_RECOVERED,
    CONSUMER_STALLED,
    CONSUMER_STALL_ENDED,
    `consumer.${STATISTICS}`,
  ],
  producer: [REPLY_FAILED, `producer.${STATISTICS}`],
  admin: [],
};

type Listener = (event: InstrumentationEvent<never>) => unknown;

/** kafkajs's emitter of instrumentation events, of one client. */
export class InstrumentationEmitter {
  readonly #emitter = new EventEmitter();
  readonly #role: EventRole;
  readonly #logger: Pick<Logger, 'error'> | undefined;

  /** `logger` gets the errors of listeners. */
  constructor(role: EventRole, logger?: Pick<Logger, 'error'>) {
    this.#role = role;
    this.#logger = logger;
    // No event is named `error`, so emitting never throws for want of a listener. Many listeners are not a leak: no
    // limit.
    this.#emitter.setMaxListeners(0);
  }

  /** Whether an event has listeners, to avoid building expensive payloads for none. */
  listens(eventName: string): boolean {
    return this.#emitter.listenerCount(eventName) > 0;
  }

  /**
   * Calls the listeners of an event. Errors of a listener are logged and do not affect other listeners or the
   * emitter.
   */
  emit(eventName: string, payload: unknown = null): void {
    if (!eventName) throw new KafkaJSError('Invalid event name', { retriable: false });
    if (!this.listens(eventName)) return;
    const event = { id: nextEventId(), type: eventName, timestamp: Date.now(), payload };
    this.#emitter.emit(eventName, event);
  }

  /** Emits librdkafka's statistics, which are parsed for those who listen. */
  emitStatistics(json: string): void {
    const eventName = `${this.#role}.${STATISTICS}`;
    if (this.listens(eventName)) this.emit(eventName, JSON.parse(json));
  }

  /** kafkajs's `on()`: returns the function that removes the listener, and refuses names that do not exist. */
  on(eventName: string, listener: Listener): RemoveInstrumentationEventListener<string> {
    const events = EVENTS[this.#role];
    if (!EXTENSIONS[this.#role].includes(eventName) && !Object.values(events).includes(eventName)) {
      const keys = Object.keys(events).map((key) => `${this.#role}.events.${key}`);
      throw new KafkaJSNonRetriableError(`Event name should be one of ${keys.join(', ')}`);
    }
    // EventEmitter's own check, whose error would otherwise come only when the event is emitted.
    if (typeof listener !== 'function') throw new TypeError('The listener of an event must be a function');
    const guarded = (event: InstrumentationEvent<never>): void =>
      runCallback(
        () => listener(event),
        ({ message, stack }) =>
          this.#logger?.error(`Failed to execute listener: ${message}`, { eventName, stack }),
      );
    this.#emitter.on(eventName, guarded);
    return () => {
      this.#emitter.off(eventName, guarded);
    };
  }
}
