import { AsyncResource } from 'node:async_hooks';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import {
  Handling,
  settled,
  type BatchHandler,
  type ItemsHandler,
  type Outcome,
  type RecordHandler,
} from '../../runner/record-handler.js';
import type { RecordRun } from '../../runner/record-run.js';
import type { RunnerOptions } from '../../runner/runner.js';
import { batchTracing, processTracing, traceUntilSettled } from '../instrumentation/channels.js';
import type { KafkaMessage, TracedBatch, TracedProcess } from '../types/index.js';
import { kafkaMessage } from './each-message.js';
import { ProcessContext } from './process-context.js';

/** The consumer whose handlers are traced. */
export interface TracedConsumer {
  readonly groupId: string;
  readonly clientId: string;
  /** The cluster's id, once a broker has reported it. */
  readonly clusterId: () => string | undefined;
}

type Handler = RunnerOptions['handler'];
type PolicyOf = RunnerOptions['failurePolicy'];

/** A record's place: its batch and index. */
interface PackedRecord {
  readonly batch: IncomingBatch;
  readonly index: number;
}

/** The tracing context of messages that a handler gets together. */
class BatchContext implements TracedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly groupId: string;
  readonly clientId: string;
  readonly clusterId: string | undefined;
  readonly size: number;
  error?: unknown;
  readonly #records: readonly PackedRecord[];
  #messages: KafkaMessage[] | undefined;

  constructor(
    consumer: TracedConsumer,
    { topic, partition }: PartitionTask,
    records: readonly PackedRecord[],
  ) {
    const { batch, index } = records[0] as PackedRecord;
    this.topic = topic;
    this.partition = partition;
    this.offset = batch.offset(index);
    this.groupId = consumer.groupId;
    this.clientId = consumer.clientId;
    this.clusterId = consumer.clusterId();
    this.size = records.length;
    this.#records = records;
  }

  get messages(): KafkaMessage[] {
    return (this.#messages ??= this.#records.map(({ batch, index }) => kafkaMessage(batch, index)));
  }
}

/** The messages whose traced handlers are running. */
const running = new WeakMap<IncomingBatch, Map<number, ProcessContext>>();

/** Notes the error of a message's handler that is sent to the client as an error reply. */
export function noteHandlerError(batch: IncomingBatch, index: number, error: unknown): void {
  const context = running.get(batch)?.get(index);
  if (context !== undefined) context.handlerError ??= error;
}

/** Handlers that publish what they do while tracing has subscribers. */
export class TracedHandling {
  readonly #consumer: TracedConsumer;
  /** The async contexts of failed handlers, kept until their messages' failure is dealt with. */
  readonly #failed = new WeakMap<IncomingBatch, Map<number, AsyncResource>>();

  constructor(consumer: TracedConsumer) {
    this.#consumer = consumer;
  }

  /** The handler itself, or the traced one if there are subscribers; called for each range or run of records. */
  static choose(handler: Handler, traced: Handler): Handler {
    const { hasSubscribers } = 'each' in handler ? processTracing : batchTracing;
    return hasSubscribers ? traced : handler;
  }

  /** The same handler, traced. */
  handler(handler: Handler): Handler {
    return 'each' in handler
      ? { each: this.#each(handler.each) }
      : { batch: (task, run, resolve) => this.#whole(handler.batch, task, run, resolve) };
  }

  #each(handle: RecordHandler): RecordHandler {
    return async (task, batch, index) => {
      const { groupId, clientId, clusterId } = this.#consumer;
      const identity = { groupId, clientId, clusterId: clusterId() };
      const context = new ProcessContext(identity, task, batch, index, { attempt: task.failures + 1 });
      const contexts = running.get(batch) ?? new Map<number, ProcessContext>();
      running.set(batch, contexts.set(index, context));
      let outcome = undefined as Outcome;
      let scope: AsyncResource | undefined;
      const run = async (): Promise<unknown> => {
        let handled: ReturnType<RecordHandler>;
        try {
          handled = handle(task, batch, index);
        } finally {
          // What follows a failure belongs to the message too, and sees the stores that its handler entered.
          scope = new AsyncResource('KAFKA');
        }
        if (!(handled instanceof Handling)) {
          outcome = await handled;
          return undefined;
        }
        const { result, end } = handled;
        let value: unknown;
        try {
          value = await result;
        } catch (error) {
          outcome = await end.failed(error, task, batch, index);
          return undefined;
        }
        outcome = await end.succeeded(value, task, batch, index);
        return value;
      };
      try {
        await traceUntilSettled<TracedProcess, unknown>(processTracing, context, run);
        return outcome;
      } catch (error) {
        if (scope !== undefined) this.#remember(batch, index, scope);
        throw error;
      } finally {
        contexts.delete(index);
      }
    };
  }

  #whole(
    handle: BatchHandler,
    task: PartitionTask,
    run: RecordRun,
    resolve: (position: number) => void,
  ): Promise<void> {
    const records = run.map((batch, index) => ({ batch, index }));
    const context = new BatchContext(this.#consumer, task, records);
    return traceUntilSettled<TracedBatch, void>(batchTracing, context, async () =>
      handle(task, run, resolve),
    );
  }

  /** A batch handler itself, or traced if there are subscribers; called for each batch. */
  items(handle: ItemsHandler | undefined): ItemsHandler | undefined {
    if (handle === undefined || !batchTracing.hasSubscribers) return handle;
    return (task, deliveries) => {
      const { batch, index } = deliveries[0] as PackedRecord;
      const context = new BatchContext(this.#consumer, task, deliveries);
      const run = async (): Promise<void> => {
        const handled = handle(task, deliveries);
        await (handled instanceof Handling ? settled(handled, task, batch, index) : handled);
      };
      return traceUntilSettled<TracedBatch, void>(batchTracing, context, run);
    };
  }

  #remember(batch: IncomingBatch, index: number, scope: AsyncResource): void {
    const scopes = this.#failed.get(batch) ?? new Map<number, AsyncResource>();
    this.#failed.set(batch, scopes.set(index, scope));
  }

  /**
   * The same policies, run in the context of the failed handler, so that a dead letter's span is a child of the
   * message's.
   */
  failurePolicy(policyOf: PolicyOf): PolicyOf {
    return (task, batch, index) => {
      const policy = policyOf(task, batch, index);
      const { recover } = policy;
      const scopes = this.#failed.get(batch);
      const scope = scopes?.get(index);
      if (scope === undefined || recover === undefined) return policy;
      scopes?.delete(index);
      return { ...policy, recover: (...failed) => scope.runInAsyncScope(recover, undefined, ...failed) };
    };
  }
}
