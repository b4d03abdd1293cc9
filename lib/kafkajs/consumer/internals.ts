import type { NativeConsumer } from '../../native/index.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { HandlerTimeouts } from '../../runner/handler-watch.js';
import type { ItemsHandler, RecordHandler } from '../../runner/record-handler.js';
import type { RecordTransactions } from '../../runner/record-transactions.js';
import type { RunnerOptions } from '../../runner/runner.js';
import type { TopicHandling } from '../../runner/topic-handling.js';
import type { TopicPartition } from '../types/index.js';

/** What NestJS's client and server do below kafkajs's surface. */
export interface ConsumerInternals {
  /** Handles packed records instead of `eachMessage`. */
  handleRecord?: RecordHandler;
  /** Handles several packed records at once, of topics that are handled so. */
  handleItems?: ItemsHandler;
  /** Whose transactions records are handled in, of topics that are handled so. */
  transactions?: RecordTransactions | undefined;
  /** How a topic's records are handled, instead of what the options of the run say. */
  handling?: (topic: string) => TopicHandling | undefined;
  /** What becomes of a record whose delivery has failed, instead of what the options' `retry` says. */
  failurePolicy?: RunnerOptions['failurePolicy'];
  /** How long a record's handler may run, in milliseconds, where not as long as `handlerTimeout` says. */
  handlerTimeouts?: HandlerTimeouts | undefined;
  /** What a handler has thrown, where what came out of it is something else. */
  originalError?: (outcome: unknown) => unknown;
  /** Which of the cluster's topics expressions are matched with. */
  matched?: (topics: string[]) => string[];
  /** Takes the replies to pending requests instead of records. */
  onReplies?: (batch: IncomingBatch) => void;
  /** Whether the replies' partitions are chosen here instead of by a group. */
  assigned?: boolean;
  /** How long a request waits for its first reply, in milliseconds. */
  replyTimeout?: number | undefined;
  /** Told of requests that have waited too long, as slots and generations. */
  onRequestsExpired?: (requests: [slot: number, generation: number][]) => void;
  /** Told of the binding's consumer, of each one when the consumer is started again, and of what its correlation ids begin with. */
  created?: (native: NativeConsumer, correlationPrefix?: string) => void;
  /** The binding's consumer is closed: nothing more comes of it. */
  closed?: () => void;
  /** The partitions that replies go to, and all that are read, after each assignment. */
  onReplyPartitions?: (partitions: Record<string, number>, owned: readonly TopicPartition[]) => void;
}
