import { KafkaJSError } from './base.js';

/** Partitions have waiting messages of which none was handled for longer than `consumer.stallTimeout`. */
export class KafkaConsumerStalledError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaConsumerStalledError';
  /** The consumer group. */
  readonly groupId: string;
  /** The partitions. */
  readonly partitions: readonly {
    /** The topic. */
    readonly topic: string;
    /** The partition. */
    readonly partition: number;
    /** The offset below which every message is finished, as a decimal string. */
    readonly position: string;
    /** The offset after the last message, as a decimal string. */
    readonly end: string;
    /** Messages that were handed out and are not handled yet. */
    readonly inHand: number;
    /** How long none of its messages was handled, in milliseconds. */
    readonly duration: number;
  }[];

  constructor({ groupId, partitions }: Pick<KafkaConsumerStalledError, 'groupId' | 'partitions'>) {
    super(partitions.map(inWords).join('; '));
    this.groupId = groupId;
    this.partitions = partitions;
  }
}

function inWords({
  topic,
  partition,
  position,
  end,
  inHand,
  duration,
}: KafkaConsumerStalledError['partitions'][number]): string {
  const held = `${inHand} ${inHand === 1 ? 'message' : 'messages'} in hand`;
  return `${topic} [${partition}] stands still at ${position} for ${duration} ms: ${held}, the log ends at ${end} (consumer.stallTimeout)`;
}
