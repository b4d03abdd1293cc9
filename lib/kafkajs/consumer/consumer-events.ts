import type { ConsumerEvent } from '../../boundary/events.js';
import type { ConsumerSettings } from '../../options/consumer.js';
import type { NativeConsumer } from '../../native/index.js';
import { supplyToken } from '../cluster/bearer-token.js';
import type { Brokers } from '../cluster/brokers.js';
import { allHandled, type EventOf } from '../../native/core-events.js';
import { consumeLog } from '../../native/core-log.js';
import { errorFrom } from '../../values/describe.js';
import type { InstrumentationEmitter } from '../instrumentation/emitter.js';
import type { GroupDivision } from '../group/leader-assignment.js';
import type { GroupLog } from '../group/log.js';
import type { Lane } from '../../runner/lane.js';
import type { Membership } from '../group/membership.js';
import type { NetworkEvents } from '../instrumentation/consumer-requests.js';
import type { RecordHandling } from './record-handling.js';
import type { Subscriptions } from '../group/subscriptions.js';
import type { Logger, TopicPartition } from '../types/index.js';

/** Whom the core's events of a group concern. */
export interface GroupEventsOptions {
  readonly settings: ConsumerSettings;
  readonly logger: Logger;
  readonly emitter: InstrumentationEmitter;
  readonly log: GroupLog;
  readonly brokers: Brokers;
  readonly subscriptions: Subscriptions;
  readonly membership: Membership;
  readonly division: GroupDivision | undefined;
  readonly handling: RecordHandling;
  readonly network: NetworkEvents;
}

/** What does not change what the consumer does. */
type OtherEvent = Exclude<
  ConsumerEvent,
  EventOf<'assign' | 'revoke' | 'revoked' | 'seek' | 'failed' | 'requestsExpired'>
>;

/** Hands those of the core's events on that do not change what the consumer does. */
export class GroupEvents {
  readonly #options: GroupEventsOptions;

  constructor(options: GroupEventsOptions) {
    this.#options = options;
  }

  /** The group has given this member its partitions. */
  joined(event: EventOf<'assign'>, native: NativeConsumer, owned: readonly TopicPartition[]): void {
    this.#options.membership.joined(event, this.#options.subscriptions.names(), owned);
    this.#announce(native);
  }

  /** The assigners say at the next join what has become of this member since the last one. */
  #announce(native: NativeConsumer): void {
    const { division, subscriptions, logger } = this.#options;
    try {
      division?.announce(native, subscriptions.names());
    } catch (error) {
      // What it said before holds on.
      const { message, stack } = errorFrom(error);
      logger.error(`A partition assigner's protocol() failed: ${message}`, { stack });
    }
  }

  /** What a handler's `heartbeat()` does. */
  heartbeat(lane: Lane): Promise<void> {
    return this.#options.membership.heartbeat(lane);
  }

  handle(event: OtherEvent, native: NativeConsumer): void {
    const { settings, logger, emitter, log, brokers, subscriptions } = this.#options;
    const { membership, division, handling, network } = this.#options;
    switch (event.type) {
      case 'rebalancing':
        membership.rebalancing();
        return this.#announce(native);
      case 'divide':
        return division?.divide(native, event, subscriptions.names());
      case 'commit':
        handling.committed(event.offsets);
        return membership.committed(event.offsets);
      case 'commitFailed':
        return log.commitFailed(event);
      case 'drainTimeout':
        return log.drainTimedOut(event);
      case 'tokenWanted':
        return supplyToken(settings.oauthBearerProvider, native, logger);
      case 'requests':
        return network.ended(event.requests);
      case 'statistics':
        network.queues(event.json);
        return emitter.emitStatistics(event.json);
      case 'log':
      case 'error':
        brokers.note(event, native);
        return consumeLog(logger, event);
      default:
        return allHandled(event);
    }
  }
}
