import { consumerProperties, type ConsumerSettings } from '../options/consumer.js';
import type { NativeConsumerSettings } from '../native.js';
import type { Properties } from '../options/table.js';
import type { ConsumerConfig, ConsumerRunConfig, KafkaConfig } from './types.js';

/** How long the core waits for the commit before partitions are given up, in milliseconds. */
const LAST_COMMIT = 5000;
/** What is handled is committed at least this often, also while a batch of slow messages is worked on, in milliseconds. */
const LONGEST_UNCOMMITTED = 5000;

/** What a native consumer is made with, apart from its brokers. */
export interface ConsumerSetup {
  readonly properties: Properties;
  readonly settings: NativeConsumerSettings;
}

/** Translates the options of a consumer and of its run. */
export function consumerSetup(
  kafka: KafkaConfig,
  config: ConsumerConfig,
  { autoCommit = true, autoCommitInterval, autoCommitThreshold }: ConsumerRunConfig,
  { fromBeginning, replies, assigned }: { fromBeginning: boolean; replies: boolean; assigned: boolean },
): ConsumerSetup {
  const { properties, settings } = consumerProperties(kafka, config, { fromBeginning });
  if (replies && autoCommit && !assigned) {
    // Replies are not tracked: what was read of the reply partitions is committed now and then, for whoever watches the group's lag.
    properties['enable.auto.commit'] = 'true';
  }
  const native: NativeConsumerSettings = {
    processUptime: 0,
    kafkajsAssignor: settings.groupProtocol === 'classic' && !('partition.assignment.strategy' in properties),
    autoCommit: autoCommit && !replies,
    autoCommitInterval: autoCommitInterval || LONGEST_UNCOMMITTED,
    drainTimeout: revocationTimeout(settings, Number(properties['max.poll.interval.ms'])),
    requestTimeout: settings.requestTimeoutMs,
  };
  if (autoCommitThreshold) native.autoCommitThreshold = autoCommitThreshold;
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
