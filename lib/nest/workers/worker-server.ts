import type { MessageHandler } from '@nestjs/microservices';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { Kafka } from '../../kafkajs/kafka.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { Handling, settled, type Outcome } from '../../runner/record-handler.js';
import type { KafkaHandlerOptions, NestKafkaOptions } from '../options/index.js';
import { handlerName } from '../server/handler-registry.js';
import { ServerKafka } from '../server/server-kafka.js';
import { remoteKafka, type RemotePorts } from './remote-clients.js';

/** The transport strategy of a worker: the server's handlers, called with the records that it sends. */
export class WorkerServer extends ServerKafka {
  readonly #ports: RemotePorts;
  readonly #names: string[] = [];

  constructor(options: NestKafkaOptions, ports: RemotePorts) {
    super(options);
    this.#ports = ports;
  }

  /** The names of its handlers, in the order of their registration. */
  get names(): readonly string[] {
    return this.#names;
  }

  override addHandler(
    pattern: any,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, any> = {},
  ): void {
    super.addHandler(pattern, callback, isEventHandler, extras);
    const registered = pattern instanceof RegExp ? pattern : this.normalizePattern(pattern);
    this.#names.push(handlerName({ pattern: registered, isEventHandler, extras }));
  }

  /** Handles a record of the server. */
  async handle(task: PartitionTask, batch: IncomingBatch, topic: string, attempt: number): Promise<Outcome> {
    const handled = this.handleRecord(task, batch, 0, topic, attempt);
    return handled instanceof Handling ? settled(handled, task, batch, 0) : handled;
  }

  protected override createClient(): Kafka {
    return remoteKafka(this.#ports);
  }

  /** Of a handler's options only its filter counts here: all else is the server's. */
  protected override handlerOptions(options: unknown): unknown {
    const { headers } = (options ?? {}) as KafkaHandlerOptions;
    return headers === undefined ? undefined : { headers };
  }

  // Nothing connects, subscribes or has a status of its own here.
  protected override registerConsumerEventListeners(): void {}
  protected override registerProducerEventListeners(): void {}
  protected override async bindEvents(): Promise<void> {}
}
