import { own } from '../../application/callbacks.js';
import { valueOf, type NativeConsumer } from '../../native/index.js';
import type { OnStall } from '../../options/consumer.js';
import { KafkaConsumerStalledError } from '../errors/index.js';
import { stalls } from '../instrumentation/channels.js';
import {
  CONSUMER_STALL_ENDED,
  CONSUMER_STALLED,
  type InstrumentationEmitter,
} from '../instrumentation/emitter.js';
import type { Logger, StalledPartition } from '../types/index.js';
import type { PartitionProgress, Progress } from './progress.js';

/** Number of looks within `stallTimeout`. */
const LOOKS = 4;
/** Shortest and longest time between two looks, in milliseconds. */
const [SHORTEST_LOOK, LONGEST_LOOK] = [10, 5000];

/** Options of the watch. */
export interface StallWatchOptions {
  readonly settings: {
    readonly groupId: string;
    readonly clientId: string;
    readonly stallTimeoutMs: number;
    readonly onStall: OnStall;
    readonly requestTimeoutMs: number;
  };
  readonly emitter: InstrumentationEmitter;
  readonly logger: Logger;
  readonly progress: Progress;
  /** The current connection, while the consumer runs. */
  readonly native: () => NativeConsumer | undefined;
  /** Stops the consumer and starts it again. */
  readonly restart: (error: Error) => void;
  /** Ends the process. */
  readonly exit: () => void;
}

/** Detects stalled partitions, whose waiting messages are not handled: `consumer.stallTimeout`. */
export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** The reported partitions. */
  #stalled = new Map<string, PartitionProgress>();
  #asking = false;
  #askedAt = performance.now();

  constructor(options: StallWatchOptions) {
    this.#options = options;
    const pause = options.settings.stallTimeoutMs / LOOKS;
    this.#timer = setInterval(
      () => this.#look(),
      Math.min(Math.max(pause, SHORTEST_LOOK), LONGEST_LOOK),
    ).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { settings, progress, native: current } = this.#options;
    const native = current();
    if (native === undefined) return;
    const partitions = progress.look(native.standings());
    this.#ask(native, partitions);
    const stalled = new Map<string, PartitionProgress>();
    for (const partition of partitions) {
      if (partition.stalledFor >= settings.stallTimeoutMs) {
        stalled.set(`${partition.topic}:${partition.partition}`, partition);
      }
    }
    const fresh = [...stalled].filter(([key]) => !this.#stalled.has(key)).map(([, partition]) => partition);
    const hadStalled = this.#stalled.size > 0;
    this.#stalled = stalled;
    if (fresh.length > 0) this.#tell(fresh);
    else if (hadStalled && stalled.size === 0) this.#over();
  }

  /**
   * Asks a broker from time to time for the ends of partitions without waiting messages: the high watermark of the
   * last fetch is outdated if fetching itself has stopped.
   */
  #ask(native: NativeConsumer, partitions: readonly PartitionProgress[]): void {
    const { settings, progress } = this.#options;
    const now = performance.now();
    if (this.#asking || now - this.#askedAt < settings.stallTimeoutMs / 2) return;
    const idle = partitions.filter(
      ({ position, end, inHand }) => position >= 0 && inHand === 0 && end <= position,
    );
    if (idle.length === 0) return;
    this.#asking = true;
    const asked = async (): Promise<void> => {
      try {
        const wanted = idle.map(({ topic, partition }) => ({ topic, partition, offset: '-1' }));
        const found = valueOf(await native.listOffsets(wanted, settings.requestTimeoutMs));
        for (const { topic, partition, offset } of found) progress.ends(topic, partition, Number(offset));
      } finally {
        this.#asking = false;
        this.#askedAt = performance.now();
      }
    };
    // Without a broker no message can be handled, which is not a stall.
    own(asked(), () => undefined);
  }

  #tell(partitions: readonly PartitionProgress[]): void {
    const { settings, emitter, logger, restart, exit } = this.#options;
    const { groupId, clientId, onStall } = settings;
    const stalled = partitions.map(
      ({ topic, partition, position, end, inHand, stalledFor }): StalledPartition => ({
        topic,
        partition,
        position: String(position),
        end: String(end),
        inHand,
        duration: Math.round(stalledFor),
      }),
    );
    const error = new KafkaConsumerStalledError({ groupId, partitions: stalled });
    logger.error(error.message, { groupId, partitions: stalled });
    emitter.emit(CONSUMER_STALLED, { groupId, partitions: stalled, action: onStall });
    if (stalls.hasSubscribers) stalls.publish({ groupId, clientId, partitions: stalled, action: onStall });
    if (onStall === 'restart') restart(error);
    else if (onStall === 'exit') exit();
  }

  #over(): void {
    const { emitter, logger, settings } = this.#options;
    const { groupId } = settings;
    logger.info('The partitions that stood still are worked on again', { groupId });
    emitter.emit(CONSUMER_STALL_ENDED, { groupId });
  }
}
