import { setTimeout as delay } from 'node:timers/promises';
import type { NativeConsumer } from '../../native/index.js';
import type { ConsumerHandle } from './handle.js';
import type { Runner } from '../../runner/runner.js';

/** How often to look for handlers that wait for the consumer to stop, in milliseconds. */
const LOOK = 50;

/** One connection of a consumer, and while it runs what handles its records. Each start has one of its own. */
export class ConsumerSession {
  readonly handle: ConsumerHandle;
  runner: Runner | undefined;
  /** How many calls of `stop()` or `disconnect()` are awaited by a handler that they wait for themselves. */
  #circles = 0;

  constructor(handle: ConsumerHandle) {
    this.handle = handle;
  }

  get native(): NativeConsumer {
    return this.handle.native;
  }

  /** Lets the running handlers finish, at most for so many milliseconds, commits, leaves the group and disconnects. */
  async close(drainTimeout: number): Promise<void> {
    this.runner?.halt();
    await this.native.close(drainTimeout);
    this.runner?.close();
  }

  /**
   * Waits for a close. A handler that waits for it itself would be waited for until the drain times out; so when none is left but
   * such, nothing waits for them any more: their partitions are revoked as if the handlers had failed, and the messages come again.
   */
  async untilClosed<T>(closed: Promise<T>): Promise<T> {
    const done = closed.then(
      () => true,
      () => true,
    );
    let isCircle = false;
    while (!(await Promise.race([done, delay(LOOK, false)]))) {
      const { runner } = this;
      if (!isCircle && runner?.isAwaitedByHandler()) {
        isCircle = true;
        this.#circles++;
      }
      if (isCircle && runner !== undefined && runner.active <= this.#circles) runner.letGo();
    }
    return closed;
  }
}
