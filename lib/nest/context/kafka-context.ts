import { KafkaContext as NestKafkaContext } from '@nestjs/microservices';
import type { Consumer } from '../../kafkajs/consumer/consumer.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { incomingMessage, type IncomingMessage } from './incoming-message.js';

/** From the second delivery on: its number. */
const DELIVERY_ATTEMPT = 'kafka_deliveryAttempt';
/** From the second delivery on: how many came before it. */
const RETRY_COUNT = 'retryCount';

const MESSAGE = 0;
const HEARTBEAT = 4;

type ContextArgs = ConstructorParameters<typeof NestKafkaContext>[0];

/** NestJS's `KafkaContext`, and what this transport adds to it. */
export interface KafkaContext extends NestKafkaContext {
  /**
   * Which delivery of the message this is: 1 for the first, 2 for the one after the first failure. Deliveries are counted in memory;
   * after a restart, or when another member of the group has taken the partition, the count begins again at 1. In a retry topic
   * (`deadLetter.retryTopics`) the message says how many came before.
   */
  getDeliveryAttempt(): number;
}

/** NestJS's class itself, so that `instanceof` and decorators see the same as with an import from `@nestjs/microservices`. */
export const KafkaContext: {
  /** Made by the transport, for each message; a test may make one of its own. */
  new (args: ContextArgs): NestKafkaContext;
  /** What handlers get. */
  readonly prototype: KafkaContext;
} = NestKafkaContext as never;

/**
 * NestJS's `KafkaContext` over a packed record: the message is decoded when it is first asked for, which most handlers never do.
 */
export class PackedKafkaContext extends NestKafkaContext implements KafkaContext {
  readonly #batch: IncomingBatch;
  readonly #index: number;
  readonly #task: PartitionTask;
  readonly #attempt: number;
  readonly #keepBinary: boolean;

  constructor(
    batch: IncomingBatch,
    index: number,
    task: PartitionTask,
    consumer: Consumer,
    producer: Producer,
    keepBinary: boolean,
    attempt = task.failures + 1,
  ) {
    // Nest's own arguments, in its order; the message and the heartbeat are filled in on demand.
    const args: unknown[] = [undefined, task.partition, task.topic, consumer, undefined, producer];
    super(args as unknown as ContextArgs);
    this.#batch = batch;
    this.#index = index;
    this.#task = task;
    this.#attempt = attempt;
    this.#keepBinary = keepBinary;
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

  getDeliveryAttempt(): number {
    return this.#attempt;
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
 * Answers a header that the record itself does not have. It is not enumerable: who passes the headers on, to another topic or as a
 * copy, passes on what the producer wrote.
 */
function tell(headers: Record<string, any>, name: string, count: number): void {
  if (Object.hasOwn(headers, name)) return;
  Object.defineProperty(headers, name, { value: String(count), writable: true, configurable: true });
}
