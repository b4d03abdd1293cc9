import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { Delivery } from '../../runner/delivery.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { incomingMessage, type IncomingMessage } from './incoming-message.js';
import { delayOf, PackedContext, type NackOptions } from './packed-context.js';

/** A message of a batch whose value could not be decoded. */
export interface BatchFailure {
  /** Its place in the batch; the value there is undefined. */
  readonly index: number;
  /** What the deserializer has thrown. */
  readonly error: unknown;
}

/** What the handler of a batch gets beside the values. Where NestJS's `KafkaContext` tells of a message, this is the first one. */
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

  /** The messages, in the order of their values; decoded when they are first asked for. */
  getMessages(): IncomingMessage[] {
    const { topic, partition } = this.#task;
    return (this.#messages ??= this.#deliveries.map(({ batch, index }) =>
      incomingMessage(batch, index, topic, partition, !this.#decodesBinary),
    ));
  }

  /** The messages whose values could not be decoded, by a deserializer of the application's. */
  getFailures(): readonly BatchFailure[] {
    return this.#failures;
  }

  /** A value could not be decoded. @internal */
  failed(index: number, error: unknown): void {
    this.#failures.push({ index, error });
  }

  /**
   * The message at a place of the batch is finished, whatever becomes of the others. With `ack: 'manual'` also after the handler has
   * ended, and messages count only so.
   *
   * @returns false, and nothing is done, when it was acknowledged or refused before, or its partition is gone.
   */
  ack(index: number): boolean {
    return this.#at(index).ack();
  }

  /**
   * The message at a place of the batch is to come again after `delay` milliseconds (0 by default), which counts as a delivery. Its
   * partition waits; the others of the batch are finished as if it were not there.
   *
   * @returns false as {@link ack}.
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

  /** Rejects once the partition is gone; else it only tells that the handler is alive. */
  heartbeat(): Promise<void> {
    return (this.getHeartbeat() as () => Promise<void>)();
  }

  /** Whether the partition is being revoked, or gone: what the handler has not finished will be handled elsewhere. */
  isRevoked(): boolean {
    return this.#task.halted;
  }
}
