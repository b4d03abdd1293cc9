import { ACK_WORDS, RELEASED, THROUGH, writeAckWords } from '../boundary/acks.js';

const INITIAL_ACKS = 256;

/**
 * Collects the acknowledgements of handled records and hands them to the consumer once per tick. Replies go through a
 * producer, and either may arrive first: so an acknowledgement says how many replies there are.
 */
export class AckBuffer {
  readonly #flush: (words: Uint32Array, wordCount: number) => void;
  #words = new Uint32Array(INITIAL_ACKS * ACK_WORDS);
  #wordCount = 0;
  #scheduled = false;
  // The last acknowledgement, which following ones may be merged into; `#count` is 0 while there is none.
  #assignment = 0;
  #first = 0;
  #count = 0;
  #flags = 0;
  #replies = 0;

  /** `flush` must read the numbers before it returns. */
  constructor(flush: (words: Uint32Array, wordCount: number) => void) {
    this.#flush = flush;
  }

  /**
   * Acknowledges a record; the flags are `ADVANCE` and those beside it, `replies` the number of replies to a
   * `FINISHED` record. Acknowledgements of consecutive records in one tick are merged.
   */
  ack(assignment: number, sequence: number, flags: number, replies = 0): void {
    const next = (this.#first + this.#count) >>> 0;
    const follows = this.#count > 0 && assignment === this.#assignment && sequence === next;
    if (follows && flags === this.#flags && replies === this.#replies) {
      // One that applies to all records up to its own replaces the last one.
      if ((flags & THROUGH) !== 0) this.#first = sequence;
      else this.#count++;
      return;
    }
    this.#begin(assignment, sequence, flags, replies);
  }

  #begin(assignment: number, sequence: number, flags: number, replies: number): void {
    this.#write();
    this.#assignment = assignment;
    this.#first = sequence;
    this.#count = 1;
    this.#flags = flags;
    this.#replies = replies;
    this.#schedule();
  }

  /**
   * No handler of an assignment is running any more, so its partition may be revoked. Sent after the acknowledgements
   * of its last records.
   */
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

  /** The index for one more acknowledgement. */
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
