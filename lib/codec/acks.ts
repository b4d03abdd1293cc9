import { ACK_WORDS, RELEASED, THROUGH, writeAckWords } from '../boundary/acks.js';

const INITIAL_ACKS = 256;

/**
 * Collects what a consumer is told of handled records and hands it over once per tick. The replies to them go another way, through a
 * producer, and either may arrive first: so an acknowledgement says how many replies there are.
 */
export class AckBuffer {
  readonly #flush: (words: Uint32Array, wordCount: number) => void;
  #words = new Uint32Array(INITIAL_ACKS * ACK_WORDS);
  #wordCount = 0;
  #scheduled = false;
  // The last one, which is kept for those that would follow it; none while there is no record.
  #assignment = 0;
  #first = 0;
  #count = 0;
  #flags = 0;
  #replies = 0;

  /** `flush` takes the numbers before it returns. */
  constructor(flush: (words: Uint32Array, wordCount: number) => void) {
    this.#flush = flush;
  }

  /**
   * A consumed record was handled; the flags are `ADVANCE` and those beside it, `replies` those to a record that is `FINISHED`. The
   * acknowledgements of a tick about records that follow one another are one.
   */
  ack(assignment: number, sequence: number, flags: number, replies = 0): void {
    const next = (this.#first + this.#count) >>> 0;
    const follows = this.#count > 0 && assignment === this.#assignment && sequence === next;
    if (follows && flags === this.#flags && replies === this.#replies) {
      // One about all up to its record takes the place of the last one.
      if ((flags & THROUGH) !== 0) this.#first = sequence;
      else this.#count++;
      return;
    }
    this.#write();
    this.#assignment = assignment;
    this.#first = sequence;
    this.#count = 1;
    this.#flags = flags;
    this.#replies = replies;
    this.#schedule();
  }

  /** No handler of an assignment runs any more: its partition may be revoked. Behind the acknowledgements of its last records. */
  handlerEnded(assignment: number): void {
    this.#write();
    writeAckWords(this.#words, this.#room(), assignment, 0, 0, RELEASED, 0);
    this.#schedule();
  }

  /** Hands everything over now. */
  flush(): void {
    this.#write();
    const count = this.#wordCount;
    if (count === 0) return;
    this.#wordCount = 0;
    this.#flush(this.#words, count);
  }

  #write(): void {
    if (this.#count === 0) return;
    const at = this.#room();
    writeAckWords(this.#words, at, this.#assignment, this.#first, this.#count, this.#flags, this.#replies);
    this.#count = 0;
  }

  /** The place of one more. */
  #room(): number {
    const at = this.#wordCount;
    if (at === this.#words.length) {
      const grown = new Uint32Array(at * 2);
      grown.set(this.#words);
      this.#words = grown;
    }
    this.#wordCount = at + ACK_WORDS;
    return at;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onTick);
  }

  readonly #onTick = (): void => {
    this.#scheduled = false;
    this.flush();
  };
}
