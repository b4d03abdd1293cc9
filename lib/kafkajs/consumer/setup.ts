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
/** What is handled is committed at least this often, also while a batch of slow messages is worked on, in milliseconds. */
const LONGEST_UNCOMMITTED = 5000;

/** What a native consumer is made with, apart from its brokers. */
export interface ConsumerSetup {
  readonly properties: Properties;
  readonly settings: NativeConsumerSettings;
}

/** What a consumer is for. */
export interface ConsumerPurpose {
  /** It reads replies, not records. */
  readonly replies: boolean;
  /** It reads reply partitions of its own choice, without a group. */
  readonly assigned: boolean;
  /** `partitionAssigners`, where they are given. */
  readonly assigners?: NativeAssigner[] | undefined;
}

/** The largest number of milliseconds that the core takes. */
const LONGEST_TIMEOUT = 2 ** 32 - 1;

/** The core's own assigners. */
const [ROUND_ROBIN, REPLIES] = ['RoundRobinAssigner', 'NestReplyPartitionAssigner'];

/** Random bytes of a client's correlation ids. */
const PREFIX_BYTES = 16;

/** What each native consumer is made with anew: it says nothing about whether another one would be the same. */
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
 * Translates the options of a consumer and of its run. A join may fail, and fixing positions, for all the waits of kafkajs's retries
 * and one request time-out: with the defaults 39.3 s. While positions are being fixed the core does not hear of the group, which must
 * not take the member for dead.
 */
export function consumerSetup(
  options: Translated<ConsumerSettings>,
  { autoCommit = true, autoCommitInterval, autoCommitThreshold }: ConsumerRunConfig,
  { replies, assigned, assigners }: ConsumerPurpose,
): ConsumerSetup {
  const { settings } = options;
  const properties = { ...options.properties };
  if (replies && autoCommit && !assigned) {
    // Replies are not tracked: what was read of the reply partitions is committed now and then, for whoever watches the group's lag.
    properties['enable.auto.commit'] = 'true';
  }
  // The broker, or one of librdkafka's own strategies.
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
  // Retries without end are wanted so.
  if (limit <= LONGEST_TIMEOUT) native.joinTimeout = Math.round(limit);
  if (autoCommitThreshold != null) native.autoCommitThreshold = Math.max(autoCommitThreshold, 1);
  return { properties, settings: native };
}

/**
 * How long handlers may go on when partitions are revoked. The group waits no longer than the rebalance time-out, of which a
 * heartbeat interval may have passed before this member hears of it.
 */
function revocationTimeout(
  { drainTimeoutMs, heartbeatIntervalMs }: ConsumerSettings,
  rebalanceTimeout: number,
): number {
  const left = Math.max(rebalanceTimeout - heartbeatIntervalMs - LAST_COMMIT, rebalanceTimeout / 3);
  return Math.floor(Math.min(drainTimeoutMs, left));
}
