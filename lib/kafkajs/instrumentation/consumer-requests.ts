import type { FinishedRequest } from '../../boundary/events.js';
import { consumerEvents, type InstrumentationEmitter } from './emitter.js';
import { emitRequests, wantsRequests } from './request-events.js';

/** kafkajs's network events of a consumer, as far as librdkafka lets them be known. */
export class NetworkEvents {
  readonly #emitter: InstrumentationEmitter;
  readonly #clientId: string;

  constructor(emitter: InstrumentationEmitter, clientId: string) {
    this.#emitter = emitter;
    this.#clientId = clientId;
  }

  /** Whether anybody wants to know of single requests. */
  get wantsRequests(): boolean {
    return wantsRequests(this.#emitter, consumerEvents);
  }

  /** Requests were answered, or not in time. */
  ended(requests: readonly FinishedRequest[]): void {
    emitRequests(this.#emitter, consumerEvents, this.#clientId, requests);
  }

  /** librdkafka's statistics tell how many requests wait to be sent to each broker. */
  queues(statistics: string): void {
    const eventName = consumerEvents.REQUEST_QUEUE_SIZE;
    if (!this.#emitter.listens(eventName)) return;
    const { brokers } = JSON.parse(statistics) as { brokers: Record<string, BrokerStatistics> };
    for (const { nodename, nodeid, outbuf_cnt } of Object.values(brokers)) {
      if (nodeid < 0) continue;
      this.#emitter.emit(eventName, { broker: nodename, clientId: this.#clientId, queueSize: outbuf_cnt });
    }
  }
}

interface BrokerStatistics {
  readonly nodename: string;
  readonly nodeid: number;
  readonly outbuf_cnt: number;
}
