import { consumerEvents, type InstrumentationEmitter } from './events.js';
import type { CoreEvent } from './producer-handle.js';

/** kafkajs's names of the protocol's requests, by their numbers; Kafka's for those that kafkajs does not know. */
const REQUESTS: readonly (string | undefined)[] = (
  'Produce Fetch ListOffsets Metadata LeaderAndIsr StopReplica UpdateMetadata ControlledShutdown OffsetCommit OffsetFetch ' +
  'GroupCoordinator JoinGroup Heartbeat LeaveGroup SyncGroup DescribeGroups ListGroups SaslHandshake ApiVersions CreateTopics ' +
  'DeleteTopics DeleteRecords InitProducerId OffsetForLeaderEpoch AddPartitionsToTxn AddOffsetsToTxn EndTxn WriteTxnMarkers ' +
  'TxnOffsetCommit DescribeAcls CreateAcls DeleteAcls DescribeConfigs AlterConfigs AlterReplicaLogDirs DescribeLogDirs ' +
  'SaslAuthenticate CreatePartitions'
).split(' ');

/** What kafkajs does not know, and librdkafka's consumer sends. */
const LATER_REQUESTS: ReadonlyMap<number, string> = new Map([
  [60, 'DescribeCluster'],
  [68, 'ConsumerGroupHeartbeat'],
  [69, 'ConsumerGroupDescribe'],
  [71, 'GetTelemetrySubscriptions'],
  [72, 'PushTelemetry'],
]);

/** kafkajs's network events of a consumer, as far as librdkafka lets them be known. */
export class NetworkEvents {
  readonly #emitter: InstrumentationEmitter;
  readonly #clientId: string;

  constructor(emitter: InstrumentationEmitter, clientId: string) {
    this.#emitter = emitter;
    this.#clientId = clientId;
  }

  /** Whether anybody wants to know of single requests. */
  get wantsRequests(): boolean {
    const { REQUEST, REQUEST_TIMEOUT } = consumerEvents;
    return this.#emitter.listens(REQUEST) || this.#emitter.listens(REQUEST_TIMEOUT);
  }

  /** A request was answered, or not in time. When it was made is not known: it counts as sent at once. */
  exchanged({ type, duration, size, sentAt, ...request }: CoreEvent): void {
    const payload = {
      ...request,
      apiName:
        REQUESTS[request['apiKey']] ?? LATER_REQUESTS.get(request['apiKey']) ?? String(request['apiKey']),
      clientId: this.#clientId,
      createdAt: sentAt,
      sentAt,
      pendingDuration: 0,
    };
    if (type === 'request') this.#emitter.emit(consumerEvents.REQUEST, { ...payload, duration, size });
    else this.#emitter.emit(consumerEvents.REQUEST_TIMEOUT, payload);
  }

  /** librdkafka's statistics tell how many requests wait to be sent to each broker. */
  queues(statistics: string): void {
    const eventName = consumerEvents.REQUEST_QUEUE_SIZE;
    if (!this.#emitter.listens(eventName)) return;
    const { brokers } = JSON.parse(statistics) as { brokers: Record<string, BrokerStatistics> };
    for (const { nodename, nodeid, outbuf_cnt } of Object.values(brokers)) {
      if (nodeid < 0) continue;
      this.#emitter.emit(eventName, { broker: nodename, clientId: this.#clientId, queueSize: outbuf_cnt });
    }
  }
}

interface BrokerStatistics {
  readonly nodename: string;
  readonly nodeid: number;
  readonly outbuf_cnt: number;
}
