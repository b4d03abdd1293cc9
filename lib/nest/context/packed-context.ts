import { KafkaContext as NestKafkaContext } from '@nestjs/microservices';
import { KafkaJSNonRetriableError } from '../../kafkajs/errors/index.js';
import type { Acknowledging } from '../../runner/delivery.js';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { incomingMessage, type IncomingMessage } from './incoming-message.js';

/** Header with the number of the delivery, from the second on. */
const DELIVERY_ATTEMPT = 'kafka_deliveryAttempt';
/** Header with the number of earlier deliveries, from the second on. */
const RETRY_COUNT = 'retryCount';

const MESSAGE = 0;
const HEARTBEAT = 4;

type ContextArgs = ConstructorParameters<typeof NestKafkaContext>[0];

/**
 * NestJS's `KafkaContext` over packed records: the (first) message is decoded when it is first read, which most
 * handlers never do.
 */
export abstract class PackedContext extends NestKafkaContext {
  readonly #batch: IncomingBatch;
  readonly #index: number;
  readonly #task: PartitionTask;
  readonly #turn: number;
  readonly #attempt: number;
  readonly #keepBinary: boolean;
  readonly #delivery: Acknowledging | undefined;

  constructor(
    batch: IncomingBatch,
    index: number,
    task: PartitionTask,
    consumer: Consumer,
    producer: Producer,
    keepBinary: boolean,
    attempt = task.failures + 1,
  ) {
    // The arguments of NestJS's class; the message and the heartbeat are filled in on demand.
    const args: unknown[] = [undefined, task.partition, task.topic, consumer, undefined, producer];
    super(args as unknown as ContextArgs);
    this.#batch = batch;
    this.#index = index;
    this.#task = task;
    this.#turn = task.turn;
    this.#attempt = attempt;
    this.#keepBinary = keepBinary;
    this.#delivery = task.delivery;
  }

  override getMessage(): any {
    const args = this.args as unknown as [IncomingMessage | undefined];
    return (args[MESSAGE] ??= this.#message());
  }

  override getHeartbeat(): any {
    const args = this.args as unknown as unknown[];
    return (args[HEARTBEAT] ??= () => (args[3] as Consumer).heartbeat(this.#task));
  }

  override getArgs(): any {
    this.getMessage();
    this.getHeartbeat();
    return super.getArgs();
  }

  override getArgByIndex(index: number): any {
    if (index === MESSAGE) return this.getMessage();
    if (index === HEARTBEAT) return this.getHeartbeat();
    return (this.args as unknown as unknown[])[index];
  }

  /** Which delivery of the (first) message this is: 1 for the first. */
  getDeliveryAttempt(): number {
    return this.#attempt;
  }

  /** Refuses the (first) message: it is redelivered after `delay` milliseconds. */
  protected nackFirst(delay: number): boolean {
    if (this.#delivery) return this.#delivery.nack(delay);
    return this.#task.nack(this.#batch, this.#index, this.#turn, delay);
  }

  /** Whether the (first) message was refused, so that it comes again when its handler has ended. @internal */
  get isRefused(): boolean {
    return (this.#delivery ?? this.#task).nackedFor !== undefined;
  }

  /** Whether the (first) message was acknowledged while its handler is running. @internal */
  protected get isAcked(): boolean {
    return this.#delivery?.isAcked ?? false;
  }

  /** Whether the (first) message is finished by `ack()` alone. @internal */
  protected get isManual(): boolean {
    return this.#delivery !== undefined && this.#task.lanes?.isManual === true;
  }

  /** The transaction of the (first) message, if it is handled in one. */
  protected get transaction(): unknown {
    return this.#delivery?.transaction;
  }

  /** Acknowledges the (first) message. */
  protected ackFirst(): boolean {
    if (!this.#delivery || !this.isManual) {
      throw new KafkaJSNonRetriableError(
        `ack() without manual acknowledgements: messages of ${this.#task.topic} count as finished when their handler has ended. Give it the option kafka: { ack: 'manual' }`,
      );
    }
    return this.#delivery.ack();
  }

  /**
   * Acknowledges the (first) message if only its handler could, which cannot any more: it has failed, and that is the answer;
   * or there is none.
   *
   * @internal
   */
  finish(): void {
    if (this.isManual) this.#delivery?.ack();
  }

  #message(): IncomingMessage {
    const { topic, partition } = this.#task;
    const message = incomingMessage(this.#batch, this.#index, topic, partition, this.#keepBinary);
    if (this.#attempt > 1) {
      tell(message.headers, DELIVERY_ATTEMPT, this.#attempt);
      tell(message.headers, RETRY_COUNT, this.#attempt - 1);
    }
    return message;
  }
}

/**
 * Adds a header that the record itself does not have. It is not enumerable, so that copies of the headers contain
 * only what the producer wrote.
 */
function tell(headers: Record<string, any>, name: string, count: number): void {
  if (Object.hasOwn(headers, name)) return;
  Object.defineProperty(headers, name, { value: String(count), writable: true, configurable: true });
}

/** Options of refusing a message. */
export interface NackOptions {
  /** The wait until the redelivery, in milliseconds. Default: 0. */
  delay?: number;
}

/** The delay of a `nack()`, checked. */
export function delayOf({ delay = 0 }: NackOptions = {}): number {
  if (typeof delay === 'number' && delay >= 0) return delay;
  throw new TypeError(`nack() takes a delay in milliseconds, 0 or more; it got ${String(delay)}`);
}
