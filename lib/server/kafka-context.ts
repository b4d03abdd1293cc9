import { KafkaContext } from '@nestjs/microservices';
import type { Consumer } from '../kafkajs/consumer.js';
import type { Lane } from '../kafkajs/lane.js';
import type { Producer } from '../kafkajs/producer.js';
import type { IncomingBatch } from '../packed/incoming.js';
import { incomingMessage, type IncomingMessage } from './incoming-message.js';

/** Header that every delivery carries: its number, from 1 on. */
const DELIVERY_ATTEMPT = 'kafka_deliveryAttempt';
/** Header from the second delivery on: how many came before it. */
const RETRY_COUNT = 'retryCount';

const MESSAGE = 0;
const HEARTBEAT = 4;

type ContextArgs = ConstructorParameters<typeof KafkaContext>[0];

/**
 * NestJS's `KafkaContext` over a packed record: the message is decoded when it is first asked for, which most handlers never do.
 */
export class PackedKafkaContext extends KafkaContext {
  readonly #batch: IncomingBatch;
  readonly #index: number;
  readonly #lane: Lane;
  readonly #attempt: number;
  readonly #keepBinary: boolean;

  constructor(
    batch: IncomingBatch,
    index: number,
    lane: Lane,
    consumer: Consumer,
    producer: Producer,
    keepBinary: boolean,
  ) {
    // Nest's own arguments, in its order; the message and the heartbeat are filled in on demand.
    const args: unknown[] = [undefined, lane.partition, lane.topic, consumer, undefined, producer];
    super(args as unknown as ContextArgs);
    this.#batch = batch;
    this.#index = index;
    this.#lane = lane;
    this.#attempt = lane.failures + 1;
    this.#keepBinary = keepBinary;
  }

  override getMessage(): any {
    const args = this.args as unknown as [IncomingMessage | undefined];
    return (args[MESSAGE] ??= this.#message());
  }

  override getHeartbeat(): any {
    const args = this.args as unknown as unknown[];
    return (args[HEARTBEAT] ??= () => (args[3] as Consumer).heartbeat(this.#lane));
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

  #message(): IncomingMessage {
    const { topic, partition } = this.#lane;
    const message = incomingMessage(this.#batch, this.#index, topic, partition, this.#keepBinary);
    message.headers[DELIVERY_ATTEMPT] = String(this.#attempt);
    if (this.#attempt > 1) message.headers[RETRY_COUNT] = String(this.#attempt - 1);
    return message;
  }
}
