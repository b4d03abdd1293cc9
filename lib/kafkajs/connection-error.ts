import { errorOf, type Failure } from '../native.js';
import type { KafkaJSError } from './errors.js';
import type { CoreEvent } from './producer-handle.js';

/** librdkafka's `_ALL_BROKERS_DOWN` says that, not why. */
const ALL_BROKERS_DOWN = -187;

/** Why a connection is not made: the last word of librdkafka's that tells. */
export class ConnectionTrouble {
  #reason: string | undefined;

  /** Remembers what an event of the core says about it. */
  note(event: CoreEvent): void {
    if (event.type === 'error' && event['code'] !== ALL_BROKERS_DOWN) this.#reason = event['message'];
  }

  /** The error of a connection that was not made in time. */
  error(failure: Failure, brokers: string | undefined, timeout: number): KafkaJSError {
    const reason = this.#reason === undefined ? '' : ` (${this.#reason})`;
    return errorOf({ ...failure, message: `no broker of ${brokers} answered within ${timeout} ms${reason}` });
  }
}
