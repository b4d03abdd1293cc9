import type { FinishedRequest } from '../../boundary/events.js';
import type { InstrumentationEmitter } from './emitter.js';

/** kafkajs's names of the protocol's requests; newer ones by the names of Kafka's protocol guide. */
const API_NAMES: Readonly<Record<number, string>> = {
  0: 'Produce',
  1: 'Fetch',
  2: 'ListOffsets',
  3: 'Metadata',
  8: 'OffsetCommit',
  9: 'OffsetFetch',
  10: 'GroupCoordinator',
  11: 'JoinGroup',
  12: 'Heartbeat',
  13: 'LeaveGroup',
  14: 'SyncGroup',
  15: 'DescribeGroups',
  16: 'ListGroups',
  17: 'SaslHandshake',
  18: 'ApiVersions',
  19: 'CreateTopics',
  20: 'DeleteTopics',
  21: 'DeleteRecords',
  22: 'InitProducerId',
  23: 'OffsetForLeaderEpoch',
  24: 'AddPartitionsToTxn',
  25: 'AddOffsetsToTxn',
  26: 'EndTxn',
  28: 'TxnOffsetCommit',
  29: 'DescribeAcls',
  30: 'CreateAcls',
  31: 'DeleteAcls',
  32: 'DescribeConfigs',
  33: 'AlterConfigs',
  36: 'SaslAuthenticate',
  37: 'CreatePartitions',
  42: 'DeleteGroups',
  44: 'IncrementalAlterConfigs',
  60: 'DescribeCluster',
  68: 'ConsumerGroupHeartbeat',
  69: 'ConsumerGroupDescribe',
  71: 'GetTelemetrySubscriptions',
  72: 'PushTelemetry',
};

/** Names of the two events. */
interface RequestEvents {
  readonly REQUEST: string;
  readonly REQUEST_TIMEOUT: string;
}

/** Whether anybody wants to know of requests. */
export const wantsRequests = (emitter: InstrumentationEmitter, events: RequestEvents): boolean =>
  emitter.listens(events.REQUEST) || emitter.listens(events.REQUEST_TIMEOUT);

/**
 * Emits kafkajs's network events. librdkafka tells when a request was written, not when it was made: `createdAt` is `sentAt`, and
 * `pendingDuration` 0.
 */
export function emitRequests(
  emitter: InstrumentationEmitter,
  events: RequestEvents,
  clientId: string,
  requests: readonly FinishedRequest[],
): void {
  for (const { broker, apiKey, apiVersion, correlationId, sentAt, duration, size } of requests) {
    const request = {
      broker,
      clientId,
      correlationId,
      createdAt: sentAt,
      sentAt,
      pendingDuration: 0,
      apiName: API_NAMES[apiKey] ?? `Api${apiKey}`,
      apiKey,
      apiVersion,
    };
    if (size === null) emitter.emit(events.REQUEST_TIMEOUT, request);
    else emitter.emit(events.REQUEST, { ...request, size, duration });
  }
}
