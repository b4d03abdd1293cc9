import type { KafkaJSError } from '../errors/index.js';
import { tellOutcome, type PendingSend, type SendCallback } from './pending-sends.js';

/** A topic counts as reachable for so long after one of its messages went out, in milliseconds. */
const REACHABLE_MS = 100;
/** Most sends that have ended before their message went out. */
const MOST_ENDED = 512;
/** Larger messages are waited for, in bytes: what waits in memory stays small. */
const LARGEST_BYTES = 4096;

/**
 * Sends without acknowledgements. kafkajs ends them when the socket has taken them, which says nothing of whether they arrive. So where messages
 * to a topic go out, a send of one small message ends here as soon as librdkafka has it, without the way to its thread and
 * back. Only so many are ahead of what went out: then a send waits for its message, as it does when one has failed.
 */
export class UnacknowledgedSends {
  readonly #lost: (topic: string, count: number, error: KafkaJSError) => void;
  /** When a message to a topic last went out, and the highest of its partitions that one went to. */
  readonly #reached = new Map<string, { at: number; partition: number }>();
  /** Sends that end with the next flush. */
  #ending: { readonly send: PendingSend; readonly done: SendCallback }[] = [];
  /** Sends that have ended, or end with the next flush, and whose message has not gone out. */
  #ahead = 0;
  readonly #losses = new Map<string, { count: number; error: KafkaJSError }>();

  /** `lost` is called for messages whose send has ended and which did not go out. */
  constructor(lost: (topic: string, count: number, error: KafkaJSError) => void) {
    this.#lost = lost;
  }

  /** A send of one message of so many bytes, to this partition or any (-1), is about to be flushed. */
  add(send: PendingSend, partition: number, bytes: number): void {
    const { topic, done } = send;
    const reached = this.#reached.get(topic);
    if (reached === undefined || bytes > LARGEST_BYTES || this.#ahead >= MOST_ENDED) return;
    // One that is not there fails.
    if (partition > reached.partition || performance.now() - reached.at > REACHABLE_MS) return;
    this.#ahead++;
    this.#ending.push({ send, done });
    send.done = (error) => {
      this.#ahead--;
      if (error) this.#note(topic, error);
    };
  }

  /** What was added is with librdkafka. `failed`: some of the flush is not, whose sends are told by their reports. */
  flushed(failed: boolean): void {
    if (this.#ending.length === 0) return;
    const ending = this.#ending;
    this.#ending = [];
    if (failed) {
      for (const { send, done } of ending) send.done = done;
      this.#ahead -= ending.length;
    } else {
      // Later, because the caller of the send must have returned before its callback is called.
      process.nextTick(end, ending);
    }
  }

  /** A message to this partition of the topic went out. */
  sent(topic: string, partition: number): void {
    const reached = this.#reached.get(topic);
    if (reached === undefined) this.#reached.set(topic, { at: performance.now(), partition });
    else {
      reached.at = performance.now();
      if (partition > reached.partition) reached.partition = partition;
    }
  }

  /** A message to the topic did not go out. */
  failed(topic: string): void {
    this.#reached.delete(topic);
  }

  #note(topic: string, error: KafkaJSError): void {
    const loss = this.#losses.get(topic);
    if (loss) {
      loss.count++;
      return;
    }
    if (this.#losses.size === 0) setImmediate(this.#tell);
    this.#losses.set(topic, { count: 1, error });
  }

  readonly #tell = (): void => {
    const losses = [...this.#losses];
    this.#losses.clear();
    for (const [topic, { count, error }] of losses) this.#lost(topic, count, error);
  };
}

/** Ends sends. An exception of a callback must not stop those after it. */
function end(ending: readonly { readonly done: SendCallback }[]): void {
  for (const { done } of ending) tellOutcome(done, null, []);
}
