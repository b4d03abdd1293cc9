import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, type Channel, type TracingChannel } from 'node:diagnostics_channel';
import type { TracedBatch, TracedCommit, TracedProcess, TracedRequest, TracedSend } from '../types/index.js';
import { batchTracing, commitTracing, processTracing, requestTracing, sendTracing } from './channels.js';

// dd-trace instruments the module kafkajs by publishing on channels of its own; its kafkajs plugin listens there and
// creates spans, propagates context and tracks data streams. This file publishes this package's calls on the same
// channels, in the same shape. The names and shapes are dd-trace's
// (packages/datadog-instrumentations/src/kafkajs.js), versions 5 and 6.

/** The channel by which dd-trace loads a plugin when the module is imported. */
const LOAD = channel('dd-trace:instrumentation:load');

const BRIDGED: unique symbol = Symbol.for('nestjs-kafka-native.datadog');
const everywhere = globalThis as { [BRIDGED]?: boolean };

/** dd-trace's channels of one kind of call. */
interface Channels {
  readonly start: Channel<unknown, DatadogContext>;
  readonly finish: Channel<unknown, DatadogContext>;
  readonly error: Channel<unknown, DatadogContext>;
}

/** The context object that dd-trace's plugin reads and writes. */
interface DatadogContext {
  [name: string]: unknown;
}

/** A channel of Node.js 26.1 and later. */
interface ScopedChannel {
  withStoreScope(context: DatadogContext): object;
}

function channelsOf(name: string): Channels {
  const one = (stage: string): Channel<unknown, DatadogContext> =>
    channel(`apm:kafkajs:${name}:${stage}`) as Channel<unknown, DatadogContext>;
  return { start: one('start'), finish: one('finish'), error: one('error') };
}

/** Runs traced calls within dd-trace's stores, through the interface of a store that is bound to a channel. */
class PluginStore extends AsyncLocalStorage<DatadogContext> {
  readonly #start: Channel<unknown, DatadogContext>;

  constructor(start: Channel<unknown, DatadogContext>) {
    super();
    this.#start = start;
  }

  override run<R, Args extends unknown[]>(
    context: DatadogContext,
    call: (...args: Args) => R,
    ...args: Args
  ): R {
    return this.#start.runStores(context, () => call(...args)) as R;
  }

  /** What Node.js 26.1 and later call instead of {@link run}; those before have neither function. */
  withScope(context: DatadogContext): object {
    return (this.#start as unknown as ScopedChannel).withStoreScope(context);
  }
}

/** Publishes calls on dd-trace's channels. `done` is called for successful ones. */
function bridge<Traced extends { error?: unknown; result?: unknown }>(
  tracing: TracingChannel<unknown, Traced>,
  to: Channels,
  contextOf: (traced: Traced) => DatadogContext,
  errorOf: (traced: Traced) => unknown = ({ error }) => error,
  done?: Channel<unknown, DatadogContext>,
): void {
  const contexts = new WeakMap<object, DatadogContext>();
  const start = tracing.start as Channel<DatadogContext, Traced>;
  start.bindStore(new PluginStore(to.start), (traced) => {
    const context = contextOf(traced);
    contexts.set(traced, context);
    return context;
  });
  tracing.asyncEnd.subscribe((message) => {
    const traced = message as Traced;
    const context = contexts.get(traced);
    if (context === undefined) return;
    const error = errorOf(traced);
    if (error === undefined) context.result = traced.result;
    else {
      context.error = error;
      to.error.publish(context);
    }
    to.finish.publish(context);
    if (error === undefined) done?.publish(context);
  });
}

/** Makes dd-trace, if it is loaded, trace this package like kafkajs. Costs one property read otherwise. */
export function bridgeDatadog(): void {
  if (!LOAD.hasSubscribers || everywhere[BRIDGED]) return;
  everywhere[BRIDGED] = true;
  LOAD.publish({ name: 'kafkajs' });
  const produce = channelsOf('produce');
  const written = channel('apm:kafkajs:produce:commit') as Channel<unknown, DatadogContext>;
  bridge<TracedSend>(
    sendTracing,
    produce,
    ({ topic, messages, clusterId, bootstrapServers }) => ({
      topic,
      messages,
      clusterId,
      bootstrapServers,
      disableHeaderInjection: false,
    }),
    undefined,
    written,
  );
  bridge<TracedRequest>(
    requestTracing,
    produce,
    ({ topic, message, clusterId, bootstrapServers }) => ({
      topic,
      messages: [message],
      clusterId,
      bootstrapServers,
      disableHeaderInjection: false,
    }),
    // An error that a server has replied is not a failure of the send.
    ({ error, isReplied }) => (isReplied ? undefined : error),
  );
  bridge<TracedProcess>(
    processTracing,
    channelsOf('consume'),
    ({ topic, partition, message, groupId, clusterId }) => ({
      extractedArgs: { topic, partition, message, groupId, clusterId },
    }),
  );
  bridge<TracedBatch & { result?: unknown }>(
    batchTracing as TracingChannel<unknown, TracedBatch & { result?: unknown }>,
    channelsOf('consume-batch'),
    ({ topic, partition, messages, groupId, clusterId }) => ({
      extractedArgs: { topic, partition, messages, groupId, clusterId },
    }),
  );
  const committed = channel('apm:kafkajs:consume:commit');
  commitTracing.asyncEnd.subscribe((message) => {
    const { groupId, topics, clusterId, error } = message as TracedCommit;
    if (error !== undefined) return;
    const offsets = topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ groupId, partition, offset, topic, clusterId })),
    );
    committed.publish(offsets);
  });
}
