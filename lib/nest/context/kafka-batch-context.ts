import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { Delivery } from '../../runner/delivery.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { incomingMessage, type IncomingMessage } from './incoming-message.js';
import { delayOf, PackedContext, type NackOptions } from './packed-context.js';

/** A message of a batch whose value could not be decoded. */
export interface BatchFailure {
  /** Its index in the batch; the value there is undefined. */
  readonly index: number;
  /** The error that the deserializer has thrown. */
  readonly error: unknown;
}

/** The context of a batch handler. The methods of NestJS's `KafkaContext` refer to the first message. */
export class KafkaBatchContext extends PackedContext {
  readonly #deliveries: readonly Delivery[];
  readonly #task: PartitionTask;
  readonly #decodesBinary: boolean;
  readonly #failures: BatchFailure[] = [];
  #messages: IncomingMessage[] | undefined;

  /** @internal */
  constructor(
    deliveries: readonly Delivery[],
    task: PartitionTask,
    consumer: Consumer,
    producer: Producer,
    keepBinary: boolean,
  ) {
    const { batch, index } = deliveries[0] as Delivery;
    super(batch, index, task, consumer, producer, keepBinary);
    this.#deliveries = deliveries;
    this.#task = task;
    this.#decodesBinary = !keepBinary;
  }

  /** The messages, in the order of their values; decoded when they are first read. */
  getMessages(): IncomingMessage[] {
    const { topic, partition } = this.#task;
    return (this.#messages ??= this.#deliveries.map(({ batch, index }) =>
      incomingMessage(batch, index, topic, partition, !this.#decodesBinary),
    ));
  }

  /** The messages whose values the application's deserializer could not decode. */
  getFailures(): readonly BatchFailure[] {
    return this.#failures;
  }

  /** A value could not be decoded. @internal */
  failed(index: number, error: unknown): void {
    this.#failures.push({ index, error });
  }

  /**
   * Acknowledges the message at an index of the batch: it is finished, whatever happens to the others. With `ack:
   * 'manual'` this may also be called after the handler has ended, and only acknowledged messages count as finished.
   *
   * @returns false, without effect, if it was acknowledged or refused before, or its partition was revoked.
   */
  ack(index: number): boolean {
    return this.#at(index).ack();
  }

  /**
   * Refuses the message at an index of the batch: it is redelivered after `delay` milliseconds (0 by default), which
   * counts as a delivery. Its partition waits; the other messages of the batch are finished independently.
   *
   * @returns false as for {@link ack}.
   */
  nack(index: number, options?: NackOptions): boolean {
    const delay = delayOf(options);
    return this.#at(index).nack(delay);
  }

  #at(index: number): Delivery {
    const delivery = this.#deliveries[index];
    if (delivery !== undefined) return delivery;
    throw new RangeError(`The batch has ${this.#deliveries.length} messages, and none at ${String(index)}`);
  }

  /** Rejects once the partition was revoked; otherwise it only shows that the handler is alive. */
  heartbeat(): Promise<void> {
    return (this.getHeartbeat() as () => Promise<void>)();
  }

  /**
   * Whether the partition is being or was revoked: messages that the handler has not finished will be redelivered to
   * another member.
   */
  isRevoked(): boolean {
    return this.#task.halted;
  }
}
