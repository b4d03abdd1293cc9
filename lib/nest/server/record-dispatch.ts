import type { ConsumerDeserializer, MessageHandler } from '@nestjs/microservices';
import { isObservable } from 'rxjs';
import { REQUEST } from '../../boundary/incoming.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { Producer } from '../../kafkajs/producer/producer.js';
import type { Delivery } from '../../runner/delivery.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { Handling, settled, type Outcome, type RecordEnd } from '../../runner/record-handler.js';
import { KafkaBatchContext } from '../context/kafka-batch-context.js';
import { PackedKafkaContext } from '../context/kafka-context.js';
import type { PackedContext } from '../context/packed-context.js';
import { asking, askingStream } from '../context/verdict.js';
import { KafkaRequestDeserializer, NO_MESSAGE_HANDLER, noEventHandler } from '../internals.js';
import type { GuardedLogger } from '../log/guarded-logger.js';
import type { KafkaHandlerOptions } from '../options/index.js';
import { isWaiting } from './dead-letter.js';
import { directHandler, type DirectHandler } from './direct-handlers.js';
import type { HandlerRegistry, TopicRoute } from './handler-registry.js';
import { eventEnd, finishAfter, RequestEnd } from './record-end.js';
import type { Responder } from './responder.js';

type Handler = MessageHandler & { isEventHandler?: boolean };
/** The outcome of a record, now or later. */
export type Handled = Promise<Outcome> | Outcome | Handling;
/**
 * Handles a record within NestJS's hooks; `ended` has to be called at the end of a record whose outcome is
 * `INCOMPLETE`.
 */
type HandleWithin = (ended: () => void) => Promise<Outcome>;

/** What a task caches about its topic. */
interface Route extends TopicRoute {
  readonly topic: string;
}

/** What the dispatch needs of its server. */
export interface DispatchPorts {
  readonly handlers: HandlerRegistry;
  /** `getHandlerByPattern`, which a subclass may override. */
  readonly find: (pattern: string) => MessageHandler | null;
  readonly deserializer: ConsumerDeserializer;
  /** The server's producer, for `context.getProducer()`. */
  readonly producer: () => Producer;
  /** `parser.keepBinary`. */
  readonly keepBinary: boolean;
  /** Whether the application has set one of NestJS's hooks. */
  readonly hasHooks: () => boolean;
  /** Handles a record within them. */
  readonly withinHooks: (context: PackedContext, handle: HandleWithin) => Promise<Outcome> | undefined;
  readonly logger: GuardedLogger;
}

/** Passes records to NestJS's handlers: finds the handler, creates payload and context, and handles the result. */
export class RecordDispatch {
  readonly #ports: DispatchPorts;
  /** Whether NestJS's own deserializer is replaced by the batch's decoding. */
  protected readonly decodesItself: boolean;

  constructor(ports: DispatchPorts) {
    this.#ports = ports;
    this.decodesItself = ports.deserializer.constructor === KafkaRequestDeserializer;
  }

  /** Handles a record as one of the topic `topic`. `attempt` is the number of the delivery, if it is not the task's. */
  handle(
    responder: Responder,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    topic: string = task.topic,
    attempt?: number,
  ): Handled {
    const { consumer } = responder;
    const { producer, keepBinary } = this.#ports;
    const context = new PackedKafkaContext(batch, index, task, consumer, producer(), keepBinary, attempt);
    if (!this.decodesItself) return this.#deserialize(responder, topic, context, task, batch, index);
    const value = keepBinary ? batch.value(index) : batch.decodedValue(index);
    // A tombstone's payload is the message itself.
    const data = value ?? context.getMessage();
    const handler = this.handlerOf(task, batch, index, topic);
    return this.#call(responder, handler, topic, data, context, task, batch, index);
  }

  /** Handles several records of a partition at once. */
  handleItems(
    responder: Responder,
    task: PartitionTask,
    deliveries: readonly Delivery[],
  ): Promise<void> | Handling {
    const [first] = deliveries as [Delivery];
    const handler = this.handlerOf(task, first.batch, first.index);
    if (handler === null) return this.#handleEach(responder, task, deliveries);
    const { consumer } = responder;
    const { producer, keepBinary } = this.#ports;
    const context = new KafkaBatchContext(deliveries, task, consumer, producer(), keepBinary);
    if (!this.decodesItself) return this.#deserializeEach(responder, handler, context, task, first);
    const values = deliveries.map(({ batch, index }) =>
      keepBinary ? batch.value(index) : batch.decodedValue(index),
    );
    const { batch, index } = first;
    return this.#call(responder, handler, task.topic, values, context, task, batch, index) as Handling;
  }

  /** The options of the handler of a record as one of the topic `topic`; a pattern from a deserializer does not count. */
  optionsOf(
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    topic: string,
  ): KafkaHandlerOptions | undefined {
    const { handlers } = this.#ports;
    if (!handlers.haveOptions) return undefined;
    try {
      return handlers.options(this.handlerOf(task, batch, index, topic));
    } catch {
      // A subclass's lookup may fail; a message that failed because of it gets the server's own failure policy.
      return undefined;
    }
  }

  /** The handler of a record as one of the topic `topic`: in retry topics, the record's original topic. */
  protected handlerOf(
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
    topic: string = task.topic,
  ): Handler | null {
    let route = task.route as Route | undefined;
    if (route?.topic !== topic) {
      const { find, handlers } = this.#ports;
      task.route = route = { topic, ...handlers.route(find(topic)) };
    }
    const { handler, routes } = route;
    if (routes === undefined) return handler;
    // The core has checked the headers, except in retry topics.
    return topic === task.topic ? routes.handler(batch.route(index)) : routes.find(batch.rawHeaders(index));
  }

  /** Records without a handler: requests get an error reply. */
  async #handleEach(
    responder: Responder,
    task: PartitionTask,
    deliveries: readonly Delivery[],
  ): Promise<void> {
    for (const delivery of deliveries) {
      const { batch, index } = delivery;
      const handled = this.handle(responder, task, batch, index);
      await (handled instanceof Handling ? settled(handled, task, batch, index) : handled);
      delivery.ack();
    }
  }

  /** Calls the application's deserializer for a record. */
  async #deserialize(
    responder: Responder,
    topic: string,
    context: PackedKafkaContext,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Promise<Outcome> {
    const { deserializer, find, handlers } = this.#ports;
    const packet: any = await deserializer.deserialize(context.getMessage(), { channel: topic });
    const { pattern, data } = packet;
    const handler =
      pattern === topic ? this.handlerOf(task, batch, index, topic) : handlers.called(find(pattern));
    const handled = this.#call(responder, handler, pattern, data, context, task, batch, index);
    return handled instanceof Handling ? settled(handled, task, batch, index) : handled;
  }

  async #deserializeEach(
    responder: Responder,
    handler: Handler,
    context: KafkaBatchContext,
    task: PartitionTask,
    { batch, index }: Delivery,
  ): Promise<void> {
    const values: unknown[] = [];
    for (const [place, message] of context.getMessages().entries()) {
      try {
        const packet: any = await this.#ports.deserializer.deserialize(message, { channel: task.topic });
        values.push(packet.data);
      } catch (error) {
        // The registry did not answer: the message itself may be fine, and the batch is redelivered.
        if (isWaiting({ error })) throw error;
        context.failed(place, error);
        values.push(undefined);
      }
    }
    const handled = this.#call(responder, handler, task.topic, values, context, task, batch, index);
    await (handled instanceof Handling ? settled(handled, task, batch, index) : handled);
  }

  /** Calls a handler, within NestJS's hooks if there are any. */
  #call(
    responder: Responder,
    handler: Handler | null,
    pattern: string,
    data: unknown,
    context: PackedContext,
    task: PartitionTask,
    batch: IncomingBatch,
    index: number,
  ): Handled {
    const isRequest = (batch.flags(index) & REQUEST) !== 0;
    if (!handler) {
      if (isRequest) {
        const answer = { err: NO_MESSAGE_HANDLER };
        return finishAfter(responder.replies.write(task.assignment, batch, index, answer), context);
      }
      this.#ports.logger.error(noEventHandler(pattern));
      context.finish();
      return;
    }
    const end = handler.isEventHandler || !isRequest ? eventEnd : new RequestEnd(responder.requests, context);
    // What an application's deserializer makes may be a promise, which NestJS's wrappers await.
    const call = (this.decodesItself && directHandler(handler)) || handler;
    const { handlers, hasHooks, withinHooks } = this.#ports;
    const start = handlers.isIdempotent(handler) ? beginAsking : begin;
    if (!hasHooks()) return start(call, data, context, end);
    return withinHooks(context, (ended) =>
      settled(start(call, data, context, end), task, batch, index, ended),
    );
  }
}

/** Calls a handler that asks for its message's verdict: at once, or when the stream that it returns is subscribed to. */
function beginAsking(...[handler, data, context, end]: Parameters<typeof begin>): Handling {
  const within = (answer: unknown): unknown =>
    isObservable(answer) ? askingStream(context, answer) : answer;
  const asked = async (): Promise<unknown> =>
    within(await asking(context, () => handler(data, context as never)));
  return begin(asked, data, context, end);
}

/** Calls a handler; what it throws becomes a rejection. */
function begin(
  handler: Handler | DirectHandler,
  data: unknown,
  context: PackedContext,
  end: RecordEnd,
): Handling {
  try {
    return new Handling(handler(data, context as never), end);
  } catch (error) {
    return new Handling(Promise.reject(error), end);
  }
}
