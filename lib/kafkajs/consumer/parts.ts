import { consumerProperties, type ConsumerSettings } from '../../options/consumer.js';
import type { Properties } from '../../options/table.js';
import type { NativeConsumer } from '../../native/index.js';
import { BatchEvents } from './batch-events.js';
import { Brokers } from '../cluster/brokers.js';
import { consumerEvents, InstrumentationEmitter } from '../instrumentation/emitter.js';
import { LeaderAssignment } from '../group/leader-assignment.js';
import { GroupLog } from '../group/log.js';
import { Membership } from '../group/membership.js';
import { RequestEvents } from '../instrumentation/request-events.js';
import { ClientEvents } from '../cluster/client-events.js';
import { PausedPartitions } from './paused-partitions.js';
import { Subscriptions } from '../group/subscriptions.js';
import { TracedCommits } from './traced-commits.js';
import type { ConsumerConfig, KafkaConfig, Logger } from '../types/index.js';

/** The parts of a consumer that outlive its connections and runs. */
export interface ConsumerParts {
  /** librdkafka's properties for the options, without the brokers. */
  readonly properties: Properties;
  readonly settings: ConsumerSettings;
  readonly logger: Logger;
  readonly log: GroupLog;
  readonly emitter: InstrumentationEmitter;
  readonly batchEvents: BatchEvents;
  readonly network: RequestEvents;
  readonly brokers: Brokers;
  readonly clientEvents: ClientEvents;
  readonly subscriptions: Subscriptions;
  readonly paused: PausedPartitions;
  readonly commits: TracedCommits;
  readonly membership: Membership;
  /** The application's partition assigners. */
  readonly leaderAssignment: LeaderAssignment | undefined;
}

/** Creates the parts; `native` returns the consumer's current connection. */
export function consumerParts(
  kafka: KafkaConfig,
  config: ConsumerConfig,
  replies: boolean,
  root: Logger,
  native: () => NativeConsumer | undefined,
): ConsumerParts {
  const { properties, settings } = consumerProperties(kafka, config, { replies });
  const {
    oauthBearerProvider,
    groupId,
    clientId,
    partitionAssigners,
    requestTimeoutMs: requestTimeout,
  } = settings;
  const logger = root.namespace('Consumer');
  const emitter = new InstrumentationEmitter('consumer', logger);
  const network = new RequestEvents(emitter, consumerEvents, clientId);
  const brokers = new Brokers(kafka, logger);
  return {
    properties,
    settings,
    logger,
    log: new GroupLog(logger, groupId),
    emitter,
    batchEvents: new BatchEvents(emitter),
    network,
    brokers,
    clientEvents: new ClientEvents({ logger, emitter, brokers, network, oauthBearerProvider }),
    subscriptions: new Subscriptions(),
    paused: new PausedPartitions(),
    commits: new TracedCommits({ groupId, clientId, clusterId: () => native()?.clusterId() ?? undefined }),
    membership: new Membership(settings, logger, emitter),
    leaderAssignment:
      partitionAssigners &&
      new LeaderAssignment(partitionAssigners, { groupId, logger, requestTimeout, native }),
  };
}
