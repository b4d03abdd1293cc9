import { channel, tracingChannel, type Channel, type TracingChannel } from 'node:diagnostics_channel';
import type {
  DeadLetterNotice,
  NetworkNotice,
  RebalanceNotice,
  StallNotice,
  TracedBatch,
  TracedCommit,
  TracedProcess,
  TracedRequest,
  TracedSend,
} from '../types/index.js';
import { withinBoundContexts } from './bound-contexts.js';

// Diagnostics channels, to which tracing tools subscribe by name; Node.js has one channel per name for all copies of
// a package. Without subscribers, publishing costs one read of `hasSubscribers` per send or batch. Exceptions of
// subscribers do not reach the publisher: Node.js turns them into uncaught exceptions.

const NAME = 'nestjs-kafka-native';

/** Messages to one topic, until they are delivered. */
export const sendTracing = tracing<TracedSend>('send');
/** A client's request, until its last reply. */
export const requestTracing = tracing<TracedRequest>('request');
/** One message in its handler. */
export const processTracing = tracing<TracedProcess>('process');
/** Messages that a handler gets together. */
export const batchTracing = tracing<TracedBatch>('batch');
/** Offsets that are committed. */
export const commitTracing = tracing<TracedCommit>('commit');
/** Rebalances of a consumer's group. */
export const rebalances = notices<RebalanceNotice>('rebalance');
/** Messages that have failed for good. */
export const deadLetters = notices<DeadLetterNotice>('dead-letter');

/** Stalled partitions. */
export const stalls = notices<StallNotice>('stalled');
/** Requests that brokers have answered. */
export const networkRequests = notices<NetworkNotice>('network');

function tracing<Context extends object>(name: string): TracingChannel<unknown, Context> {
  return tracingChannel<unknown, Context>(`${NAME}:${name}`);
}

function notices<Message>(name: string): Channel<unknown, Message> {
  return channel(`${NAME}:${name}`) as Channel<unknown, Message>;
}

/**
 * Traces a synchronous call with the events of an asynchronous one, so that subscribers need not know the difference.
 */
export function traceNow<Context extends { error?: unknown }>(
  tracingOf: TracingChannel<unknown, Context>,
  context: Context,
  call: () => void,
): void {
  const { start, end } = tracingOf;
  const traced = (): void => {
    try {
      call();
    } catch (error) {
      context.error = error;
      tracingOf.error.publish(context);
      throw error;
    } finally {
      end.publish(context);
      ended(tracingOf, context);
    }
  };
  withinBoundContexts(start, context, () => start.runStores(context, traced));
}

/** Traces a call until its promise has settled. */
export function traceUntilSettled<Context extends object, Result>(
  tracingOf: TracingChannel<unknown, Context>,
  context: Context,
  call: () => Promise<Result>,
): Promise<Result> {
  return withinBoundContexts(tracingOf.start, context, () => tracingOf.tracePromise(call, context));
}

/** Traces an operation that is already over; a failed one has its `error` in the context. */
export function tracePast<Context extends { error?: unknown }>(
  tracingOf: TracingChannel<unknown, Context>,
  context: Context,
): void {
  tracingOf.start.runStores(context, () => undefined);
  if (context.error !== undefined) tracingOf.error.publish(context);
  tracingOf.end.publish(context);
  ended(tracingOf, context);
}

/** Publishes the end of a call whose start was published before. */
export function ended<Context extends object>(
  { asyncStart, asyncEnd }: TracingChannel<unknown, Context>,
  context: Context,
): void {
  asyncStart.runStores(context, () => undefined);
  asyncEnd.publish(context);
}
