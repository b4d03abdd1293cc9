import { sampleProcess } from '../machine.mjs';
import { openWindow } from './window.mjs';

/**
 * Counts the messages of a topic that is drained: `warmUp` of them, then the `messages` of the measured window.
 * Redelivered messages are not counted.
 */
export class Drain {
  #total;
  #config;
  #seen;
  #startedAt = performance.now();
  #distinct = 0;
  #repeated = 0;
  #firstSeconds;
  #closeWindow;
  #resolve;

  /** Resolves to the window when the last message has arrived. */
  drained = new Promise((resolve) => {
    this.#resolve = resolve;
  });

  /** @param {{ warmUp: number, messages: number, brokerPid?: number }} config */
  constructor(config) {
    this.#config = config;
    this.#total = config.warmUp + config.messages;
    this.#seen = new Uint8Array(this.#total);
  }

  /** @param {number} index the number of the message that has arrived */
  count(index) {
    if (this.#seen[index] === 1) {
      this.#repeated++;
      return;
    }
    this.#seen[index] = 1;
    this.#firstSeconds ??= (performance.now() - this.#startedAt) / 1000;
    if (this.#distinct === this.#config.warmUp) this.#closeWindow = openWindow(this.#config.brokerPid);
    this.#distinct++;
    if (this.#distinct === this.#total) {
      this.#resolve({
        ...this.#closeWindow(),
        messages: this.#config.messages,
        repeated: this.#repeated,
        firstSeconds: this.#firstSeconds,
        process: sampleProcess(),
      });
    }
  }
}
