import { codeOf } from '../errors/codes.js';
import type { EventOf } from '../../native/core-events.js';
import { kafkaErrorFromNative } from '../errors/index.js';
import { offsetsByTopic } from '../offsets.js';
import { consumerEvents, type InstrumentationEmitter } from '../instrumentation/emitter.js';
import { rebalances } from '../instrumentation/channels.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { Logger, RebalanceNotice, TopicPartition, TopicPartitionOffset } from '../types/index.js';

/** Kafka's code for a group that is rebalancing. */
const REBALANCE_IN_PROGRESS = codeOf('REBALANCE_IN_PROGRESS');

/** This member in its group: emits kafkajs's events and writes the log about it. */
export class Membership {
  readonly #groupId: string;
  readonly #clientId: string;
  readonly #logger: Logger;
  readonly #emitter: InstrumentationEmitter;
  #memberId = '';
  /** -1 before the first join, and in groups whose broker assigns partitions (KIP-848). */
  #generation = -1;
  #joinStarted = 0;

  constructor(
    { groupId, clientId }: { readonly groupId: string; readonly clientId: string },
    logger: Logger,
    emitter: InstrumentationEmitter,
  ) {
    this.#groupId = groupId;
    this.#clientId = clientId;
    this.#logger = logger;
    this.#emitter = emitter;
  }

  /** Whether the member has joined: then the group exists. */
  get hasJoined(): boolean {
    return this.#memberId !== '';
  }

  /** A first join begins. */
  joining(): void {
    this.#joinStarted = Date.now();
  }

  /** The group begins to rebalance. */
  rebalancing(): void {
    this.joining();
    const payload = { groupId: this.#groupId, memberId: this.#memberId };
    this.#logger.warn('The group is rebalancing, re-joining', payload);
    this.#emitter.emit(consumerEvents.REBALANCING, payload);
    this.tell('rebalancing', []);
  }

  /** Publishes a rebalance to its subscribers. */
  tell(type: RebalanceNotice['type'], partitions: readonly TopicPartition[], duration?: number): void {
    if (!rebalances.hasSubscribers) return;
    const [groupId, clientId] = [this.#groupId, this.#clientId];
    const plain = partitions.map(({ topic, partition }) => ({ topic, partition }));
    rebalances.publish({
      type,
      groupId,
      clientId,
      partitions: plain,
      ...(duration !== undefined && { duration }),
    });
  }

  /** Partitions were assigned to this member. */
  joined(event: EventOf<'assign'>, subscribed: readonly string[], owned: readonly TopicPartition[]): void {
    const groupId = this.#groupId;
    this.#memberId = event.memberId;
    this.#generation = event.join?.generation ?? -1;
    const memberId = this.#memberId;
    const memberAssignment = byTopic(owned);
    this.#tellUnsubscribed(event.unsubscribed, subscribed, Object.keys(memberAssignment));
    const leaderId = event.join?.leaderId ?? '';
    const payload = {
      groupId,
      memberId,
      leaderId,
      isLeader: leaderId !== '' && leaderId === memberId,
      memberAssignment,
      groupProtocol: event.join?.protocol ?? '',
      duration: Date.now() - this.#joinStarted,
    };
    this.#logger.info('Consumer has joined the group', payload);
    this.#emitter.emit(consumerEvents.GROUP_JOIN, payload);
    this.tell('assigned', event.partitions, payload.duration);
  }

  #tellUnsubscribed(strange: readonly string[], subscribed: readonly string[], assigned: string[]): void {
    if (strange.length === 0) return;
    const payload = {
      groupId: this.#groupId,
      generationId: this.#generation,
      memberId: this.#memberId,
      assignedTopics: [...assigned, ...strange],
      topicsSubscribed: [...subscribed],
      topicsNotSubscribed: [...strange],
    };
    this.#emitter.emit(consumerEvents.RECEIVED_UNSUBSCRIBED_TOPICS, payload);
    this.#logger.warn('Consumer group received unsubscribed topics', payload);
  }

  /** Offsets were committed. */
  committed(offsets: readonly TopicPartitionOffset[]): void {
    if (!this.#emitter.listens(consumerEvents.COMMIT_OFFSETS)) return;
    this.#emitter.emit(consumerEvents.COMMIT_OFFSETS, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      groupGenerationId: this.#generation,
      topics: offsetsByTopic(offsets),
    });
  }

  /** A handler's `heartbeat()`: rejects if the partition was revoked. Heartbeats themselves are sent by the core. */
  heartbeat({ topic, partition, revoked }: PartitionTask): Promise<void> {
    if (revoked) {
      const message = `partition ${partition} of ${topic} was revoked`;
      return Promise.reject(kafkaErrorFromNative({ code: REBALANCE_IN_PROGRESS, message, topic, partition }));
    }
    this.#emitter.emit(consumerEvents.HEARTBEAT, {
      groupId: this.#groupId,
      memberId: this.#memberId,
      groupGenerationId: this.#generation,
    });
    return Promise.resolve();
  }
}

/** The partitions of each topic, in order. */
function byTopic(owned: readonly TopicPartition[]): Record<string, number[]> {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of owned) {
    const partitions = topics.get(topic);
    if (partitions) partitions.push(partition);
    else topics.set(topic, [partition]);
  }
  // fromEntries creates own properties, also for a topic named `__proto__`.
  return Object.fromEntries([...topics].map(([topic, list]) => [topic, list.toSorted((a, b) => a - b)]));
}
