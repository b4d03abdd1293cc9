import { setTimeout as delay } from 'node:timers/promises';
import type { NativeConsumer } from '../../native/index.js';
import type { ConsumerHandle } from './handle.js';
import type { Runner } from '../../runner/runner.js';

/** How often to check for handlers that wait for the consumer to stop, in milliseconds. */
const LOOK = 50;

/** One connection of a consumer and, while the consumer runs, its runner. Each start opens a new session. */
export class ConsumerSession {
  readonly handle: ConsumerHandle;
  runner: Runner | undefined;
  #isClosing = false;
  /** How many calls of `stop()` or `disconnect()` are awaited by handlers that these calls wait for. */
  #circles = 0;

  constructor(handle: ConsumerHandle) {
    this.handle = handle;
  }

  get native(): NativeConsumer {
    return this.handle.native;
  }

  /** Whether it ends: the consumer may have been asked to run again already, with another session. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /**
   * Lets the running handlers finish, at most for `drainTimeout` milliseconds, commits, leaves the group and
   * disconnects.
   */
  async close(drainTimeout: number): Promise<void> {
    this.#isClosing = true;
    this.runner?.halt();
    await this.native.close(drainTimeout);
    this.runner?.close();
  }

  /**
   * Waits for a close. A handler that awaits the close itself would be waited for until the drain times out. So when
   * only such handlers are left, the close no longer waits for them: their partitions are revoked as if the handlers
   * had failed, and their messages are redelivered.
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
