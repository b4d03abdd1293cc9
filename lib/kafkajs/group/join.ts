import type { ConsumerSettings } from '../../options/consumer.js';
import { valueOf, type NativeConsumer, type NativeSubscription } from '../../native/index.js';
import { assignReplies } from '../../rpc/assigned-replies.js';
import { own } from '../../application/callbacks.js';
import { KafkaJSNonRetriableError, type KafkaJSError, type KafkaJSProtocolError } from '../errors/index.js';
import type { LeaderAssignment } from './leader-assignment.js';
import type { GroupLog } from './log.js';
import type { Membership } from './membership.js';
import type { Subscriptions } from './subscriptions.js';
import type { TopicHandling } from '../../runner/topic-handling.js';
import { nativeHandling } from './native-handling.js';
import { watchForTopics } from './topic-watch.js';

/** Options of joining a group. */
export interface GroupJoinOptions {
  readonly settings: ConsumerSettings;
  readonly subscriptions: Subscriptions;
  readonly membership: Membership;
  readonly leaderAssignment: LeaderAssignment | undefined;
  readonly log: GroupLog;
  /** How a topic's records are handled, if not one after the other. */
  readonly handling: (topic: string) => TopicHandling | undefined;
  /** Whether reply partitions are read without a group. */
  readonly assigned: boolean;
  /** Whether this is still the consumer's connection. */
  readonly isCurrent: (native: NativeConsumer) => boolean;
  /** Called when joining for topics that have appeared later fails. */
  readonly onEscape: (error: Error, native: NativeConsumer) => void;
}

/** Whether the coordinator refuses this client. */
const isRefusal = (error: KafkaJSError): boolean =>
  (error as Partial<KafkaJSProtocolError>).type === 'GROUP_AUTHORIZATION_FAILED';

/** Joins the group: from the topics to the first assignment. */
export class GroupJoin {
  readonly #options: GroupJoinOptions;
  #waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  /** A refusal by the coordinator that arrived before a join was waiting; librdkafka reports it only once. */
  #refused: { error: KafkaJSError; native: NativeConsumer } | undefined;

  constructor(options: GroupJoinOptions) {
    this.#options = options;
  }

  /** Joins; resolves when partitions were assigned, or when none of the topics exists yet. */
  async join(native: NativeConsumer): Promise<void> {
    const { settings, subscriptions, membership, log, assigned, isCurrent, onEscape } = this.#options;
    const names = subscriptions.names();
    if (names.length === 0) return;
    const { allowAutoTopicCreation, requestTimeoutMs: timeout, clientId } = settings;
    const ensured = valueOf(await native.ensureTopics(names, allowAutoTopicCreation, timeout));
    const { missing, reasons, created, existing } = ensured;
    subscriptions.meet([...missing, ...created], existing);
    log.waitsFor(missing, reasons);
    membership.joining();
    if (assigned) {
      const reader = { native, clientId, timeout, isCurrent: () => isCurrent(native) };
      await assignReplies(reader, names, missing);
      return;
    }
    if (this.#refused?.native === native) throw this.#refused.error;
    if (missing.length > 0) own(this.#watch(native, missing), (error) => onEscape(error, native));
    if (missing.length === names.length) return;
    const ended = log.joining(native, settings);
    try {
      // Both at once: a refusal may arrive before librdkafka has accepted the subscription, and must reject this
      // promise.
      await Promise.all([this.#assignment(), this.#subscribe(native, missing)]);
    } finally {
      ended();
      this.#waiting = undefined;
    }
  }

  #assignment(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  async #subscribe(native: NativeConsumer, missing: readonly string[]): Promise<void> {
    const { subscriptions } = this.#options;
    const topics = subscriptions.topics().filter(({ topic }) => !missing.includes(topic));
    this.#options.leaderAssignment?.announce(
      native,
      topics.map(({ topic }) => topic),
    );
    const handled = topics.map((topic) => this.#handled(topic));
    valueOf(await native.subscribe(handled, subscriptions.takeStarts()));
  }

  #handled(topic: NativeSubscription): NativeSubscription {
    const handling = this.#options.handling(topic.topic);
    return handling === undefined ? topic : { ...topic, handling: nativeHandling(handling) };
  }

  /** Joins for topics that did not exist at the start when they have appeared. */
  #watch(native: NativeConsumer, absent: readonly string[]): Promise<void> {
    const { settings, log, isCurrent } = this.#options;
    return watchForTopics(
      native,
      absent,
      settings.requestTimeoutMs,
      () => !isCurrent(native),
      async (found, missing) => {
        log.appeared(found);
        await this.#subscribe(native, missing);
      },
    );
  }

  /** There is an assignment. */
  succeeded(): void {
    this.#refused = undefined;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** The join has failed; returns false if none was waiting. */
  failed(error: KafkaJSError, native?: NativeConsumer): boolean {
    const waiting = this.#waiting;
    if (native && isRefusal(error)) this.#refused = { error, native };
    this.#waiting = undefined;
    waiting?.reject(error);
    return waiting !== undefined;
  }

  /** The consumer is closed. */
  cancel(): void {
    this.failed(new KafkaJSNonRetriableError('The consumer was stopped before it had joined its group'));
  }
}
