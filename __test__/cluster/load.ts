import { until } from '../harness/wait';

/** Calls that are made without a break, several at a time, each with a number of its own. */
export class Load {
  /** The numbers of the calls that succeeded. */
  readonly succeeded: number[] = [];
  /** What the others failed with. */
  readonly failures: unknown[] = [];
  #next = 0;
  #stopped = false;
  readonly #lanes: Promise<void>[];

  constructor(call: (number: number) => Promise<unknown>, lanes = 8) {
    this.#lanes = Array.from({ length: lanes }, () => this.#run(call));
  }

  async #run(call: (number: number) => Promise<unknown>): Promise<void> {
    while (!this.#stopped) {
      const number = this.#next++;
      try {
        await call(number);
        this.succeeded.push(number);
      } catch (error) {
        this.failures.push(error);
      }
    }
  }

  /** Resolves when so many more calls have succeeded: it goes on. */
  async goesOn(count = 200): Promise<void> {
    const goal = this.succeeded.length + count;
    await until(`${count} more calls succeed`, () => this.succeeded.length >= goal, 60_000);
  }

  /** Makes no more calls; resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }
}
