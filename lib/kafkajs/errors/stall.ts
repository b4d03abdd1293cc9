import { KafkaJSError } from './base.js';

/** Something waits in partitions, and nothing of them was handled for longer than `consumer.stallTimeout`. */
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
    /** The offset below which all is done, as a decimal string. */
    readonly position: string;
    /** The offset after the last message, as a decimal string. */
    readonly end: string;
    /** Messages that were handed out and are not handled. */
    readonly inHand: number;
    /** How long nothing of it was handled, in milliseconds. */
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
