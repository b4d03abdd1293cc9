import type { ConsumerEvent } from '../../boundary/events.js';
import type { NativeConsumer } from '../../native/index.js';
import { allHandled, type EventOf } from '../../native/core-events.js';
import { errorFrom } from '../../values/describe.js';
import type { ConsumerInternals } from './internals.js';
import type { ConsumerParts } from './parts.js';
import type { Positions } from './positions.js';
import type { RecordHandling } from './record-handling.js';
import type { ConsumerState } from './state.js';
import { kafkaErrorFromNative } from '../errors/index.js';
import type { GroupJoin } from '../group/join.js';
import type { Runner } from '../../runner/runner.js';
import type { TopicPartition } from '../types/index.js';
import { retriesExceeded } from '../retry/out-of-retries.js';

/** The parts that handle the core's events. */
export interface ConsumerEventsOptions {
  readonly parts: ConsumerParts;
  readonly internals: ConsumerInternals;
  readonly state: ConsumerState;
  readonly positions: Positions;
  readonly handling: RecordHandling;
  readonly groupJoin: GroupJoin;
  /** The consumer cannot go on. */
  readonly onFailure: (error: Error, native: NativeConsumer) => void;
}

/** The partitions of assignments. */
function partitionsOf(assignments: readonly number[], runner: Runner | undefined): TopicPartition[] {
  return assignments.flatMap((assignment) => runner?.task(assignment) ?? []);
}

/** Handles the core's events of a consumer and emits kafkajs's events for them. */
export class ConsumerEvents {
  readonly #options: ConsumerEventsOptions;

  constructor(options: ConsumerEventsOptions) {
    this.#options = options;
  }

  handle(event: ConsumerEvent, native: NativeConsumer): void {
    const { parts, internals, state, handling } = this.#options;
    const { clientEvents, log, subscriptions, membership, leaderAssignment, network, commits } = parts;
    const runner = state.session?.runner;
    switch (event.type) {
      case 'assign':
        return this.#assigned(event, native);
      case 'revoke':
        membership.tell('revoking', partitionsOf(event.assignments, runner));
        return runner?.revoke(event.assignments);
      case 'revoked':
        membership.tell('revoked', partitionsOf(event.assignments, runner));
        return runner?.revoked(event.assignments);
      case 'seek':
        return this.#moved(event);
      case 'requestsExpired':
        return internals.onRequestsExpired?.(event.requests);
      case 'rebalancing':
        membership.rebalancing();
        return this.#announce(native);
      case 'assignGroup':
        return leaderAssignment?.assign(native, event, subscriptions.names());
      case 'commit':
        handling.committed(event.offsets);
        if (event.automatic) commits.done(event.offsets);
        return membership.committed(event.offsets);
      case 'commitFailed':
        commits.failed(event);
        return log.commitFailed(event);
      case 'drainTimeout':
        return log.drainTimedOut(event);
      case 'tokenWanted':
      case 'requests':
      case 'log':
        return clientEvents.handle(event, native);
      case 'statistics':
        network.queues(event.json);
        return clientEvents.handle(event, native);
      case 'error':
        return this.#failed(event, native);
      case 'failed':
        return this.#retriesExceeded(event, native);
      default:
        return allHandled(event);
    }
  }

  /** Partitions were assigned to this member. */
  #assigned(event: EventOf<'assign'>, native: NativeConsumer): void {
    const { parts, internals, state, positions, groupJoin } = this.#options;
    for (const { topic, partition, assignment } of event.partitions) {
      this.#opened(assignment, topic, partition);
    }
    // In a cooperative rebalance the event has only the new partitions.
    const owned = [...(state.session?.runner?.tasks() ?? [])];
    positions.assigned();
    if (event.replyPartitions) internals.onReplyPartitions?.(event.replyPartitions, owned);
    parts.membership.joined(event, parts.subscriptions.names(), owned);
    this.#announce(native);
    groupJoin.succeeded();
  }

  #moved({ assignment, topic, partition }: EventOf<'seek'>): void {
    // If the application did not ask for the seek, the old task is still there.
    const runner = this.#options.state.session?.runner;
    const task = runner?.find(topic, partition);
    if (task !== undefined) runner?.abandon(task);
    this.#opened(assignment, topic, partition);
  }

  #opened(assignment: number, topic: string, partition: number): void {
    const { state, positions } = this.#options;
    state.session?.runner?.assign(assignment, topic, partition);
    positions.opened(topic, partition);
  }

  /** Passes the assigners' metadata for the next join to the core. */
  #announce(native: NativeConsumer): void {
    const { leaderAssignment, subscriptions, logger } = this.#options.parts;
    try {
      leaderAssignment?.announce(native, subscriptions.names());
    } catch (error) {
      // The earlier metadata stays in use.
      const { message, stack } = errorFrom(error);
      logger.error(`A partition assigner's protocol() failed: ${message}`, { stack });
    }
  }

  #failed(event: EventOf<'error'>, native: NativeConsumer): void {
    const { parts, groupJoin, onFailure } = this.#options;
    const { code, message, fatal } = event;
    const error = kafkaErrorFromNative({ code, message, fatal });
    if ((fatal || !error.retriable) && groupJoin.failed(error, native)) return;
    parts.clientEvents.handle(event, native);
    if (fatal) onFailure(error, native);
  }

  /** Joining the group, or finding a partition's position, has failed for good. */
  #retriesExceeded({ code, message, exhausted }: EventOf<'failed'>, native: NativeConsumer): void {
    const { parts, groupJoin, onFailure } = this.#options;
    const last = kafkaErrorFromNative({ code, message });
    const error = exhausted ? retriesExceeded(last, message, parts.settings.retry) : last;
    if (!groupJoin.failed(error, native)) onFailure(error, native);
  }
}
