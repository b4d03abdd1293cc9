import type { ClientEvent } from '../../boundary/events.js';
import { allHandled, type EventOf } from '../../native/core-events.js';
import { consumeLog } from '../../native/core-log.js';
import type { NativeAdmin, NativeConsumer, NativeProducer } from '../../native/index.js';
import type { InstrumentationEmitter } from '../instrumentation/emitter.js';
import type { RequestEvents } from '../instrumentation/request-events.js';
import type { Logger } from '../types/index.js';
import { supplyToken, type BearerProvider } from './bearer-token.js';
import type { Brokers } from './brokers.js';

/** The parts that handle the events of every client. */
export interface ClientEventsOptions {
  readonly logger: Logger;
  readonly emitter: InstrumentationEmitter;
  readonly brokers: Brokers;
  readonly network: RequestEvents;
  /** Returns tokens for SASL/OAUTHBEARER. */
  readonly oauthBearerProvider: BearerProvider | undefined;
}

/** Handles the core's events that every kind of client has: tokens, instrumentation, log. */
export class ClientEvents {
  readonly #options: ClientEventsOptions;

  constructor(options: ClientEventsOptions) {
    this.#options = options;
  }

  handle(event: ClientEvent, native: NativeAdmin | NativeConsumer | NativeProducer): void {
    const { logger, emitter, network, oauthBearerProvider } = this.#options;
    switch (event.type) {
      case 'tokenWanted':
        return supplyToken(oauthBearerProvider, native, logger);
      case 'requests':
        return network.ended(event.requests);
      case 'statistics':
        return emitter.emitStatistics(event.json);
      case 'log':
      case 'error':
        return this.#log(event, native);
      default:
        return allHandled(event);
    }
  }

  #log(event: EventOf<'log' | 'error'>, native: NativeAdmin | NativeConsumer | NativeProducer): void {
    const { brokers, logger } = this.#options;
    brokers.note(event, native);
    consumeLog(logger, event);
  }
}
