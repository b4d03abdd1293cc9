import { OwnContext } from '../../application/async-context.js';
import type { ConsumerSettings } from '../../options/consumer.js';
import type { AckBuffer } from '../../codec/acks.js';
import type { BatchEvents } from './batch-events.js';
import type { ConsumerInternals } from './internals.js';
import { eachBatchHandler, type BatchOwner } from './each-batch.js';
import { eachMessageHandler } from './each-message.js';
import {
  HANDLER_RECOVERED,
  HANDLER_TIMEOUT,
  type InstrumentationEmitter,
} from '../instrumentation/emitter.js';
import type { GroupLog } from '../group/log.js';
import { HandlerWatch, sameFor } from '../../runner/handler-watch.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import { PartitionMemory } from '../../runner/partition-memory.js';
import type { PausedPartitions } from './paused-partitions.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import { ResolvedOffsets } from './resolved-offsets.js';
import { hasGaps, type Concurrency, type TopicHandling } from '../../runner/topic-handling.js';
import { runSettings } from '../../options/run.js';
import { Runner, type RunnerOptions } from '../../runner/runner.js';
import { TracedHandling } from './traced-handling.js';
import type { ConsumerRunConfig, TopicPartition, TopicPartitionOffset } from '../types/index.js';

/** What records are handled with. */
export interface RecordHandlingOptions extends BatchOwner {
  readonly settings: ConsumerSettings;
  readonly internals: ConsumerInternals;
  readonly emitter: InstrumentationEmitter;
  readonly batchEvents: BatchEvents;
  readonly log: GroupLog;
  readonly paused: PausedPartitions;
  /** Takes the acks about handled records. */
  readonly acks: AckBuffer;
  /** The brokers' id of their cluster, once one has answered. */
  readonly clusterId: () => string | undefined;
  readonly onRetriesExceeded: (error: unknown, task: PartitionTask) => void;
  readonly onEscape: RunnerOptions['onEscape'];
}

/** What belongs to one call of `run()`. */
interface Run {
  readonly config: ConsumerRunConfig;
  readonly context: OwnContext;
  readonly concurrency: Concurrency;
}

/** How a consumer handles records: what outlasts its runs, and the makings of a runner for each of them. */
export class RecordHandling {
  readonly #options: RecordHandlingOptions;
  readonly #memory = new PartitionMemory();
  #run: Run | undefined;
  /** Of the present run. */
  #resolved = new ResolvedOffsets();

  constructor(options: RecordHandlingOptions) {
    this.#options = options;
  }

  /** A runner for one run. */
  runner(config: ConsumerRunConfig): Runner {
    // A run that starts again after a crash goes on in the context of the application's call.
    if (this.#run?.config !== config) {
      this.#run = { config, context: new OwnContext(), concurrency: runSettings(config).concurrency };
    }
    const { context } = this.#run;
    const { settings, internals, batchEvents, log, paused, acks, clusterId, onRetriesExceeded, onEscape } =
      this.#options;
    const { originalError: original = (outcome: unknown) => outcome } = internals;
    const { retry } = settings;
    const resolved = new ResolvedOffsets();
    this.#resolved = resolved;
    const tracing = new TracedHandling({ ...settings, clusterId });
    const handler = this.#handler(config);
    const traced = tracing.handler(handler);
    return new Runner({
      get handler() {
        return TracedHandling.choose(handler, traced);
      },
      context,
      onBatch: (task, range) => batchEvents.begin(task, range),
      acks,
      handling: (topic) => this.handling(topic),
      get handleItems() {
        return tracing.items(internals.handleItems);
      },
      transactions: internals.transactions,
      originalError: original,
      concurrency: config.partitionsConsumedConcurrently ?? Number.POSITIVE_INFINITY,
      failurePolicy: tracing.failurePolicy(internals.failurePolicy ?? (() => ({ retry }))),
      memory: this.#memory,
      watch: this.#watch(),
      isPaused: (topic, partition) => paused.has(topic, partition),
      onRevoked: (task) => resolved.forget(task),
      onFailure: (error, task, offset) => log.handlerFailed(original(error), task, offset),
      onRetriesExceeded: (error, task) => onRetriesExceeded(original(error), task),
      onEscape,
    });
  }

  /** How a topic's records are handled in the present run; undefined: those of a partition one after the other. */
  handling(topic: string): TopicHandling | undefined {
    const own = this.#options.internals.handling?.(topic);
    if (own !== undefined) return own;
    const concurrency = this.#run?.concurrency;
    return concurrency && concurrency.order !== 'partition' ? { concurrency, isManual: false } : undefined;
  }

  /** @throws KafkaJSNonRetriableError for a topic whose offsets only the core can commit. */
  checkCommit(topic: string): void {
    const handling = this.handling(topic);
    if (handling === undefined) return;
    if (handling.isTransactional) {
      throw new KafkaJSNonRetriableError(
        `commitOffsets() is refused for ${topic}, whose handler is transactional: the offset of a message is committed by its transaction. Leave it out`,
      );
    }
    if (!hasGaps(handling)) return;
    const how = handling.isManual
      ? 'are acknowledged one by one: use context.ack()'
      : `are handled in the order "${handling.concurrency.order}", so that an offset says nothing of those before it: with kafka.ack "manual" a handler decides when a message counts, by context.ack()`;
    throw new KafkaJSNonRetriableError(`commitOffsets() is refused for ${topic}, whose messages ${how}`);
  }

  #watch(): HandlerWatch | undefined {
    const { settings, internals, emitter, log } = this.#options;
    const { handlerTimeoutMs, groupId } = settings;
    const limits = internals.handlerTimeouts ?? (handlerTimeoutMs && sameFor(handlerTimeoutMs));
    if (!limits) return undefined;
    return new HandlerWatch(limits, {
      slow: (handler) => {
        log.handlerSlow(handler);
        emitter.emit(HANDLER_TIMEOUT, { groupId, ...handler });
      },
      recovered: () => emitter.emit(HANDLER_RECOVERED, { groupId }),
    });
  }

  #handler(config: ConsumerRunConfig): RunnerOptions['handler'] {
    const { internals, consumer } = this.#options;
    const { eachMessage, eachBatch } = config;
    if (internals.handleRecord) return { each: internals.handleRecord };
    // As in kafkajs, of both handlers that of messages is called.
    if (eachMessage || !eachBatch) return { each: eachMessageHandler(consumer, eachMessage) };
    return { batch: eachBatchHandler(this.#options, this.#resolved, { ...config, eachBatch }) };
  }

  /** Whether the group has taken a partition away while its handler ran, which runs still: what it does is no longer this member's. */
  isOutlived({ topic, partition }: TopicPartition): boolean {
    return this.#memory.holder(`${topic}:${partition}`)?.revoked ?? false;
  }

  /** Offsets were committed. */
  committed(offsets: readonly TopicPartitionOffset[]): void {
    this.#resolved.committed(offsets);
  }
}
