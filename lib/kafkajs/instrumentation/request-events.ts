import type { FinishedRequest } from '../../boundary/events.js';
import { networkRequests } from './channels.js';
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

/** The names of a client's events. */
interface RequestEventNames {
  readonly REQUEST: string;
  readonly REQUEST_TIMEOUT: string;
  readonly REQUEST_QUEUE_SIZE: string;
}

/** A broker in librdkafka's statistics. */
interface BrokerStatistics {
  readonly nodename: string;
  readonly nodeid: number;
  readonly outbuf_cnt: number;
}

/** kafkajs's network events of one client, as far as librdkafka reports them. Without listeners they cost nothing. */
export class RequestEvents {
  readonly #emitter: InstrumentationEmitter;
  readonly #names: RequestEventNames;
  readonly #clientId: string;

  constructor(emitter: InstrumentationEmitter, names: RequestEventNames, clientId: string) {
    this.#emitter = emitter;
    this.#names = names;
    this.#clientId = clientId;
  }

  /** Whether there are listeners for single requests. */
  get wantsRequests(): boolean {
    return (
      networkRequests.hasSubscribers ||
      this.#emitter.listens(this.#names.REQUEST) ||
      this.#emitter.listens(this.#names.REQUEST_TIMEOUT)
    );
  }

  /**
   * Requests were answered or timed out. librdkafka reports when a request was written, not when it was created:
   * `createdAt` is `sentAt`, and `pendingDuration` 0.
   */
  ended(requests: readonly FinishedRequest[]): void {
    for (const { broker, apiKey, apiVersion, correlationId, sentAt, duration, size } of requests) {
      const apiName = API_NAMES[apiKey] ?? `Api${apiKey}`;
      if (size !== null && networkRequests.hasSubscribers) {
        networkRequests.publish({ clientId: this.#clientId, broker, apiName, duration });
      }
      const eventName = size === null ? this.#names.REQUEST_TIMEOUT : this.#names.REQUEST;
      if (!this.#emitter.listens(eventName)) continue;
      const request = {
        broker,
        clientId: this.#clientId,
        correlationId,
        createdAt: sentAt,
        sentAt,
        pendingDuration: 0,
        apiName,
        apiKey,
        apiVersion,
      };
      this.#emitter.emit(eventName, size === null ? request : { ...request, size, duration });
    }
  }

  /** Emits the queue sizes from librdkafka's statistics: how many requests wait to be sent to each broker. */
  queues(statistics: string): void {
    const eventName = this.#names.REQUEST_QUEUE_SIZE;
    if (!this.#emitter.listens(eventName)) return;
    const { brokers } = JSON.parse(statistics) as { brokers: Record<string, BrokerStatistics> };
    for (const { nodename, nodeid, outbuf_cnt } of Object.values(brokers)) {
      if (nodeid < 0) continue;
      this.#emitter.emit(eventName, { broker: nodename, clientId: this.#clientId, queueSize: outbuf_cnt });
    }
  }
}
