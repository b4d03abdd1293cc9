import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import {
  CONSUMER_STALL_ENDED,
  CONSUMER_STALLED,
  HANDLER_RECOVERED,
  HANDLER_TIMEOUT,
} from '../../kafkajs/instrumentation/emitter.js';
import type { KafkaStatus } from '../internals.js';

type Status = `${KafkaStatus}` | 'stalled';

/** A server's `status`: NestJS's values, and `stalled` while handlers or partitions stand still. */
export class ServerStatus {
  readonly #emit: (status: Status) => void;
  #last: Status | undefined;

  constructor(emit: (status: Status) => void) {
    this.#emit = emit;
  }

  /** The status changes. */
  tell(status: Status): void {
    this.#last = status;
    this.#emit(status);
  }

  /** Has handlers and partitions of a consumer that stand still change the status. */
  watchStalls(consumer: Consumer): void {
    for (const begun of [HANDLER_TIMEOUT, CONSUMER_STALLED] as const) {
      consumer.on(begun, () => this.tell('stalled'));
    }
    for (const over of [HANDLER_RECOVERED, CONSUMER_STALL_ENDED] as const) {
      consumer.on(over, () => {
        // Not over a rebalance or a crash that has come meanwhile.
        if (this.#last === 'stalled') this.tell('connected');
      });
    }
  }
}
