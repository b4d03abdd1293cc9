import { runCallback } from '../../application/callbacks.js';
import type { ConsumerEvent } from '../../boundary/events.js';
import type { IncomingBatch } from '../../codec/incoming.js';
import { unlessAborted } from '../../lifecycle.js';
import { valueOf, type NativeConsumer } from '../../native/index.js';
import { getOwn, setOwn } from '../../values/own-property.js';
import { KafkaJSNonRetriableError } from '../errors/index.js';
import { commitTracing } from '../instrumentation/channels.js';
import { consumerEvents } from '../instrumentation/emitter.js';
import { ConsumerHandle } from './handle.js';
import type { ConsumerInternals } from './internals.js';
import type { ConsumerParts } from './parts.js';
import { ConsumerSession } from './session.js';
import { consumerSetup, freshSettings } from './setup.js';
import type { ConsumerState } from './state.js';

/** Options and callbacks of a connection. */
export interface ConnectionOptions {
  readonly parts: ConsumerParts;
  readonly internals: ConsumerInternals;
  readonly state: ConsumerState;
  /** Receives the batches of the current session. */
  readonly batch: (batch: IncomingBatch) => void;
  /** Receives the core's events of the current session. */
  readonly event: (event: ConsumerEvent, native: NativeConsumer) => void;
  /** Receives exceptions of either callback. */
  readonly onEscape: (error: Error, native: NativeConsumer) => void;
  readonly onClosed: () => void;
}

/** Opens and closes a consumer's sessions. */
export class Connection {
  readonly #options: ConnectionOptions;
  /** Whether the core was told that commits are traced. */
  #tracesCommits = false;
  /** Counts of filtered records of earlier sessions. */
  #filtered: Record<string, number> = {};
  /** The session whose counts are among these although it is not over. */
  #closing: ConsumerSession | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** The session; a new one unless the current one has the same properties and settings. */
  async open(signal: AbortSignal): Promise<ConsumerSession> {
    const { parts, internals, state, batch, event, onEscape } = this.#options;
    const { onReplies, assigned = false, created } = internals;
    const { settings, brokers, leaderAssignment } = parts;
    const setup = consumerSetup(parts, state.runConfig, {
      replies: onReplies !== undefined,
      assigned,
      assigners: leaderAssignment?.assigners(),
    });
    setup.properties['bootstrap.servers'] = await unlessAborted(brokers.resolve(), signal);
    if (state.session?.handle.isMadeWith(setup)) return state.session;
    await this.close();
    // Late batches and events of an earlier session are dropped.
    const isPresent = (from: ConsumerHandle): boolean => from === state.session?.handle;
    const fresh = freshSettings(internals);
    const run = (from: ConsumerHandle, callback: () => void): void =>
      runCallback(
        () => isPresent(from) && callback(),
        (error) => onEscape(error, from.native),
      );
    const handle = new ConsumerHandle(setup, settings.retry, fresh, {
      batch: (packed, from) => run(from, () => batch(packed)),
      event: (told, from) => run(from, () => event(told, from.native)),
    });
    const session = new ConsumerSession(handle);
    state.session = session;
    this.watch();
    created?.(handle.native, fresh.correlationPrefix);
    await unlessAborted(handle.connect(settings.connectTimeoutMs), signal);
    return session;
  }

  /** The current connection; a consumer that was stopped but not disconnected opens one. */
  async required(otherwise: string): Promise<NativeConsumer> {
    const { state } = this.#options;
    if (state.native === undefined && state.isReady) {
      await state.lifecycle.start('reconnect', {
        open: async (signal) => void (await this.open(signal)),
        undo: () => this.close(),
      });
    }
    const { native } = state;
    if (native === undefined) throw new KafkaJSNonRetriableError(otherwise);
    return native;
  }

  /** Resolves when a broker has answered within `timeout` milliseconds. */
  async ping(timeout: number): Promise<void> {
    const native = this.#options.state.session?.native;
    if (native === undefined) throw new KafkaJSNonRetriableError('The consumer is not connected');
    valueOf(await native.connect(timeout));
  }

  /** Closes the session: its running handlers finish, their offsets are committed, and the group is left. */
  async close(): Promise<void> {
    const { parts, internals, state, onClosed } = this.#options;
    const { session } = state;
    if (session === undefined) return;
    this.#filtered = this.filtered();
    this.#closing = session;
    try {
      await session.close(parts.settings.drainTimeoutMs);
    } finally {
      parts.subscriptions.noteStarts(session.native.uncommittedStarts());
      parts.batchEvents.stopped();
      state.session = undefined;
      onClosed();
      internals.closed?.();
    }
  }

  /** How many records of each topic were filtered (no handler took them), over all sessions. */
  filtered(): Record<string, number> {
    const all = { ...this.#filtered };
    const { session } = this.#options.state;
    // Those of a session that is closing are kept already.
    const counts = session === undefined || session === this.#closing ? [] : session.native.filtered();
    for (const { topic, count } of counts) setOwn(all, topic, (getOwn(all, topic) ?? 0) + count);
    return all;
  }

  /** Enables exactly the core's events that have listeners, because each event wakes JavaScript. */
  watch(): void {
    const { parts, state } = this.#options;
    const native = state.session?.native;
    native?.watchRequests(parts.network.wantsRequests);
    this.#tracesCommits = commitTracing.hasSubscribers;
    native?.watchCommits(
      this.#tracesCommits ||
        parts.emitter.listens(consumerEvents.COMMIT_OFFSETS) ||
        state.runConfig.eachBatch !== undefined,
    );
  }

  /** Checked for each batch, because subscribers of a diagnostics channel come and go without an event. */
  watchTraces(): void {
    if (commitTracing.hasSubscribers !== this.#tracesCommits) this.watch();
  }
}
