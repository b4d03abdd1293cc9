import { randomBytes } from 'node:crypto';
import type { ConsumerSettings } from '../../options/consumer.js';
import type { NativeAssigner, NativeConsumerSettings } from '../../native/index.js';
import type { Properties } from '../../options/table.js';
import type { Translated } from '../../options/translate.js';
import { totalRetryTime } from '../retry/retry.js';
import type { ConsumerInternals } from './internals.js';
import type { ConsumerRunConfig } from '../types/index.js';

/** How long the core waits for the last commit before partitions are revoked, in milliseconds. */
const LAST_COMMIT = 5000;
/** Handled messages are committed at least this often, also within a batch of slow messages, in milliseconds. */
const LONGEST_UNCOMMITTED = 5000;

/** Properties and settings of a native consumer, without its brokers. */
export interface ConsumerSetup {
  readonly properties: Properties;
  readonly settings: NativeConsumerSettings;
}

/** The purpose of a consumer. */
export interface ConsumerPurpose {
  /** Whether it reads replies, not records. */
  readonly replies: boolean;
  /** Whether it reads reply partitions of its own choice, without a group. */
  readonly assigned: boolean;
  /** The option `partitionAssigners`, if given. */
  readonly assigners?: NativeAssigner[] | undefined;
}

/** The longest time-out that the core takes, in milliseconds. */
const LONGEST_TIMEOUT = 2 ** 32 - 1;

/** The core's own assigners. */
const [ROUND_ROBIN, REPLIES] = ['RoundRobinAssigner', 'NestReplyPartitionAssigner'];

/** Number of random bytes in a client's correlation ids. */
const PREFIX_BYTES = 16;

/** Settings that differ for every native consumer, and so do not count when setups are compared. */
export function freshSettings({
  onReplies,
  replyTimeout,
}: ConsumerInternals): Partial<NativeConsumerSettings> {
  const correlationPrefix = onReplies && randomBytes(PREFIX_BYTES).toString('base64url');
  return {
    processUptime: process.uptime(),
    ...(correlationPrefix ? { correlationPrefix } : {}),
    ...(replyTimeout ? { replyTimeout } : {}),
  };
}

/**
 * Translates the options of a consumer and of its run. Joining and finding positions may each fail for as long as all
 * waits of kafkajs's retries and one request time-out: 39.3 s by default. While it finds positions the core does not
 * serve the group, whose coordinator must not consider the member dead.
 */
export function consumerSetup(
  options: Translated<ConsumerSettings>,
  { autoCommit = true, autoCommitInterval, autoCommitThreshold }: ConsumerRunConfig,
  { replies, assigned, assigners }: ConsumerPurpose,
): ConsumerSetup {
  const { settings } = options;
  const properties = { ...options.properties };
  if (replies && autoCommit && !assigned) {
    // Replies are not tracked. Read offsets of reply partitions are committed from time to time, so that monitoring
    // of the group's lag works.
    properties['enable.auto.commit'] = 'true';
  }
  // Assigned by the broker (KIP-848), or by one of librdkafka's own strategies.
  const chosen = settings.groupProtocol === 'consumer' || 'partition.assignment.strategy' in properties;
  const rebalanceTimeout = Number(properties['max.poll.interval.ms']);
  const limit = totalRetryTime(settings.retry) + settings.requestTimeoutMs;
  const native: NativeConsumerSettings = {
    processUptime: 0,
    assigners: chosen ? [] : (assigners ?? [{ name: replies ? REPLIES : ROUND_ROBIN, builtIn: true }]),
    sessionTimeout: settings.sessionTimeoutMs,
    autoCommit: autoCommit && !replies,
    autoCommitInterval: autoCommitInterval || LONGEST_UNCOMMITTED,
    drainTimeout: revocationTimeout(settings, rebalanceTimeout),
    rebalanceTimeout,
    positionsTimeout: Math.floor(Math.min(limit, (rebalanceTimeout * 2) / 3)),
  };
  // A longer limit means to retry for ever.
  if (limit <= LONGEST_TIMEOUT) native.joinTimeout = Math.round(limit);
  if (autoCommitThreshold != null) native.autoCommitThreshold = Math.max(autoCommitThreshold, 1);
  return { properties, settings: native };
}

/**
 * How long handlers may go on when partitions are revoked. The group waits only for the rebalance time-out, and this
 * member may learn of the rebalance a heartbeat interval late.
 */
function revocationTimeout(
  { drainTimeoutMs, heartbeatIntervalMs }: ConsumerSettings,
  rebalanceTimeout: number,
): number {
  const left = Math.max(rebalanceTimeout - heartbeatIntervalMs - LAST_COMMIT, rebalanceTimeout / 3);
  return Math.floor(Math.min(drainTimeoutMs, left));
}
