import { endProcess } from '../../application/end-process.js';
import type { ConsumerReport, ObservedClient } from '../instrumentation/clients.js';
import { Starts } from '../instrumentation/starts.js';
import { Condition } from './condition.js';
import type { ConsumerParts } from './parts.js';
import { Progress } from './progress.js';
import { StallWatch } from './stall-watch.js';
import type { ConsumerState } from './state.js';

/** Options of the observation of a consumer. */
export interface ObservationOptions {
  readonly parts: ConsumerParts;
  readonly state: ConsumerState;
  /** Whether the consumer reads the replies to a client's requests. */
  readonly isOfReplies: boolean;
  /** Resolves when a broker has answered within `timeout` milliseconds. */
  readonly ping: (timeout: number) => Promise<void>;
  /** How many messages of each topic were filtered: no handler took them. */
  readonly filtered: () => Record<string, number>;
}

/** The states that the consumer's events tell of while it starts; in others it was at rest before. */
const ON_ITS_WAY: ReadonlySet<string> = new Set<ConsumerReport['state']>([
  'joining',
  'rebalancing',
  'running',
]);

/** Reports a consumer's state to health probes and metrics, and watches for stalled partitions. */
export class Observation implements ObservedClient<ConsumerReport> {
  readonly #options: ObservationOptions;
  readonly #condition: Condition;
  readonly #starts = new Starts(this);
  readonly #progress: Progress;

  constructor(options: ObservationOptions) {
    const { parts, state } = options;
    this.#options = options;
    this.#condition = new Condition(parts.emitter);
    this.#progress = new Progress({
      isPaused: (topic, partition) => parts.paused.has(topic, partition),
      task: (topic, partition) => state.session?.runner?.find(topic, partition),
    });
  }

  /** Connects or runs: the consumer is visible to health probes and metrics from now on, also if that fails. */
  during(start: () => Promise<void>): Promise<void> {
    return this.#starts.during(start);
  }

  /** The consumer was stopped, and is not to be in its group. */
  rest(): void {
    this.#starts.rest();
  }

  /** The consumer was disconnected. */
  end(): void {
    this.#starts.end();
  }

  async ping(timeout: number): Promise<void> {
    const { state, ping } = this.#options;
    // A stopped consumer has no connection, as it was told: there is nothing to ask, and nothing is wrong.
    if (this.#starts.state === 'none' && state.session === undefined) return;
    await ping(timeout);
  }

  report(): ConsumerReport {
    const { parts, state, isOfReplies, filtered } = this.#options;
    const { settings, subscriptions } = parts;
    const { groupId, clientId } = settings;
    const { hasJoined } = this.#condition;
    // While the consumer is being closed after a crash, the CRASH event was not emitted yet.
    const hasCrashed = state.isToRun && !state.isRunning;
    const native = state.session?.native;
    // Replies are not tracked, and replies to other clients are in the same partitions, so lag and stalls mean
    // nothing here.
    const partitions = this.#progress.look(native?.standings() ?? []).map(({ end, ...partition }) => {
      if (isOfReplies) return { ...partition, lag: 0, stalledFor: 0 };
      return { ...partition, lag: partition.position < 0 ? 0 : Math.max(0, end - partition.position) };
    });
    return {
      role: 'consumer',
      groupId,
      clientId,
      isOfReplies,
      ...this.#stateOf(hasCrashed),
      isToJoin: state.isToRun ? subscriptions.names().length > 0 : this.#starts.isUnderWay,
      hasJoined,
      partitions,
      pendingRequests: native?.pendingRequests() ?? 0,
      filtered: filtered(),
    };
  }

  #stateOf(hasCrashed: boolean): Pick<ConsumerReport, 'state' | 'since' | 'error'> {
    const { state, since, error } = this.#condition;
    const crash = error && { error };
    if (hasCrashed) return { state: 'restarting', since, ...crash };
    const start = this.#starts;
    if (start.error !== undefined) return { state: 'failed', since: start.since, error: start.error };
    if (start.state === 'connecting' && !ON_ITS_WAY.has(state)) {
      return { state: 'connecting', since: start.since, ...crash };
    }
    return { state, since, ...crash };
  }

  /** Watches for stalled partitions if `stallTimeout` is set. `restart` restarts the consumer. */
  watchStalls(restart: (error: Error) => void): StallWatch | undefined {
    const { parts, state, isOfReplies } = this.#options;
    const { settings, emitter, logger } = parts;
    const { stallTimeoutMs } = settings;
    if (stallTimeoutMs === undefined || isOfReplies) return undefined;
    return new StallWatch({
      settings: { ...settings, stallTimeoutMs },
      emitter,
      logger,
      progress: this.#progress,
      native: () => (state.isRunning ? state.native : undefined),
      restart,
      exit: endProcess,
    });
  }
}
