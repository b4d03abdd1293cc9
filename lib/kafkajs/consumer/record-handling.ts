import { isDeepStrictEqual } from 'node:util';
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

/** Options of handling records. */
export interface RecordHandlingOptions extends BatchOwner {
  readonly settings: ConsumerSettings;
  readonly internals: ConsumerInternals;
  readonly emitter: InstrumentationEmitter;
  readonly batchEvents: BatchEvents;
  readonly log: GroupLog;
  readonly paused: PausedPartitions;
  /** Collects the acks of handled records. */
  readonly acks: AckBuffer;
  /** The cluster's id, once a broker has reported it. */
  readonly clusterId: () => string | undefined;
}

/** State of one call of `run()`. */
interface Run {
  readonly config: ConsumerRunConfig;
  readonly context: OwnContext;
  readonly concurrency: Concurrency;
}

/** How a consumer handles records: keeps the state that outlives runs, and creates a runner for each run. */
export class RecordHandling {
  readonly #options: RecordHandlingOptions;
  readonly #memory = new PartitionMemory();
  #run: Run | undefined;
  /** The resolved offsets of the current run. */
  #resolved = new ResolvedOffsets();

  constructor(options: RecordHandlingOptions) {
    this.#options = options;
  }

  /** Creates the runner for a run. The consumer cannot go on after `failed`: because of a message of `task`, if there is one. */
  runner(config: ConsumerRunConfig, failed: (error: unknown, task?: PartitionTask) => void): Runner {
    // A run that restarts after a crash keeps the async context of the application's call.
    if (this.#run?.config !== config) {
      this.#run = { config, context: new OwnContext(), concurrency: runSettings(config).concurrency };
    }
    const { context } = this.#run;
    const { settings, internals, batchEvents, log, paused, acks, clusterId } = this.#options;
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
      onBatch: (task, records) => batchEvents.begin(task, records),
      acks,
      handling: (topic) => this.handling(topic),
      get handleItems() {
        return tracing.items(internals.handleItems);
      },
      dueIn: internals.dueIn,
      transactions: internals.transactions,
      originalError: original,
      concurrency: config.partitionsConsumedConcurrently ?? Number.POSITIVE_INFINITY,
      failurePolicy: tracing.failurePolicy(internals.failurePolicy ?? (() => ({ retry }))),
      memory: this.#memory,
      watch: this.#watch(),
      isPaused: (topic, partition) => paused.has(topic, partition),
      onRevoked: (task) => resolved.forget(task),
      onFailure: (error, task, offset) => log.handlerFailed(original(error), task, offset),
      onRetriesExceeded: (error, task) => failed(original(error), task),
      onEscape: failed,
    });
  }

  /** How a topic's records are handled in the current run; undefined: one after the other in each partition. */
  handling(topic: string): TopicHandling | undefined {
    const own = this.#options.internals.handling?.(topic);
    const concurrency = this.#run?.concurrency;
    if (own !== undefined) {
      // What is not a topic's own is one limit for all topics that share it: the runner tells limits apart by identity.
      const isShared = concurrency !== undefined && isDeepStrictEqual(own.concurrency, concurrency);
      return isShared ? { ...own, concurrency } : own;
    }
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
    const wayOut = handling.isManual
      ? 'use context.ack()'
      : 'with kafka.ack "manual" a handler decides when a message counts, by context.ack()';
    throw refused('commitOffsets()', topic, handling, wayOut);
  }

  /** @throws KafkaJSNonRetriableError for a topic whose offsets no transaction but its handlers' own can commit. */
  checkSentOffsets(topic: string): void {
    const handling = this.handling(topic);
    if (handling === undefined || handling.isTransactional || !hasGaps(handling)) return;
    throw refused(
      'sendOffsets()',
      topic,
      handling,
      'kafka.transactional makes a transaction for the handler',
    );
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
    // As in kafkajs, with both handlers `eachMessage` is called.
    if (eachMessage || !eachBatch) return { each: eachMessageHandler(consumer, eachMessage) };
    return { batch: eachBatchHandler(this.#options, this.#resolved, { ...config, eachBatch }) };
  }

  /**
   * Whether a partition was revoked while its handler was running, and that handler still runs: its commits are no
   * longer this member's.
   */
  isOutlived({ topic, partition }: TopicPartition): boolean {
    return this.#memory.holder(`${topic}:${partition}`)?.revoked ?? false;
  }

  /** Offsets were committed. */
  committed(offsets: readonly TopicPartitionOffset[]): void {
    this.#resolved.committed(offsets);
  }
}

/** Offsets of a topic are refused, because they say nothing of the messages before them. */
function refused(
  call: string,
  topic: string,
  { isManual, concurrency }: TopicHandling,
  wayOut: string,
): KafkaJSNonRetriableError {
  const how = isManual
    ? 'are acknowledged one by one'
    : `are handled in the order "${concurrency.order}", so that an offset says nothing of those before it`;
  return new KafkaJSNonRetriableError(`${call} is refused for ${topic}, whose messages ${how}: ${wayOut}`);
}
