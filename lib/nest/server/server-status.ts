import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import {
  CONSUMER_STALL_ENDED,
  CONSUMER_STALLED,
  HANDLER_RECOVERED,
  HANDLER_TIMEOUT,
} from '../../kafkajs/instrumentation/emitter.js';
import type { KafkaStatus } from '../internals.js';

type Status = `${KafkaStatus}` | 'stalled';

/** A server's `status`: NestJS's values, and `stalled` while handlers run too long or partitions are stalled. */
export class ServerStatus {
  readonly #emit: (status: Status) => void;
  #last: Status | undefined;

  constructor(emit: (status: Status) => void) {
    this.#emit = emit;
  }

  /** Changes the status. */
  tell(status: Status): void {
    this.#last = status;
    this.#emit(status);
  }

  /** Makes slow handlers and stalled partitions of a consumer change the status. */
  watchStalls(consumer: Consumer): void {
    for (const begun of [HANDLER_TIMEOUT, CONSUMER_STALLED] as const) {
      consumer.on(begun, () => this.tell('stalled'));
    }
    for (const over of [HANDLER_RECOVERED, CONSUMER_STALL_ENDED] as const) {
      consumer.on(over, () => {
        // Not if a rebalance or a crash has changed it meanwhile.
        if (this.#last === 'stalled') this.tell('connected');
      });
    }
  }
}
