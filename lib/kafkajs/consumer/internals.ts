import type { NativeConsumer } from '../../native/index.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import type { HandlerTimeouts } from '../../runner/handler-watch.js';
import type { DueIn, ItemsHandler, RecordHandler } from '../../runner/record-handler.js';
import type { RecordTransactions } from '../../runner/record-transactions.js';
import type { RunnerOptions } from '../../runner/runner.js';
import type { TopicHandling } from '../../runner/topic-handling.js';
import type { TopicPartition } from '../types/index.js';

/** What ServerKafka and ClientKafka use of a consumer beyond kafkajs's interface. */
export interface ConsumerInternals {
  /** Handles packed records instead of `eachMessage`. */
  handleRecord?: RecordHandler;
  /** Handles several packed records at once, for topics with batch handlers. */
  handleItems?: ItemsHandler;
  /** How long a record has to wait before its handler is called, in topics whose records are handled in the order of their partition. */
  dueIn?: DueIn | undefined;
  /** Provides the transactions for topics whose records are handled in transactions. */
  transactions?: RecordTransactions | undefined;
  /** How a topic's records are handled, instead of the options of `run()`. */
  handling?: (topic: string) => TopicHandling | undefined;
  /** What to do with a record whose delivery has failed, instead of the option `retry`. */
  failurePolicy?: RunnerOptions['failurePolicy'];
  /** How long a record's handler may run, in milliseconds, if different from `handlerTimeout`. */
  handlerTimeouts?: HandlerTimeouts | undefined;
  /** The error that a handler has thrown, from the outcome that a filter has made of it. */
  originalError?: (outcome: unknown) => unknown;
  /** Selects the topics of the cluster that regular expressions may match. */
  matched?: (topics: string[]) => string[];
  /** Receives the replies to pending requests instead of records. */
  onReplies?: (batch: IncomingBatch) => void;
  /** Whether the client chooses its reply partitions itself, instead of getting them from a group. */
  assigned?: boolean;
  /** How long a request waits for its first reply, in milliseconds. */
  replyTimeout?: number | undefined;
  /** Called with the requests that have timed out, as slots and generations. */
  onRequestsExpired?: (requests: [slot: number, generation: number][]) => void;
  /** Called with the binding's consumer, again after each restart, and with the prefix of its correlation ids. */
  created?: (native: NativeConsumer, correlationPrefix?: string) => void;
  /** Called when the binding's consumer is closed. */
  closed?: () => void;
  /** Called after each assignment with the reply partition of each topic, and all assigned partitions. */
  onReplyPartitions?: (partitions: Record<string, number>, owned: readonly TopicPartition[]) => void;
}
