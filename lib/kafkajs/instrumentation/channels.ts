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

// Node.js keeps one channel of a name for all copies of a package. Whoever traces subscribes by the name; with nobody subscribed, the
// places that publish read `hasSubscribers` once per send or batch, and do nothing else. What a subscriber throws is an uncaught
// exception and comes to nobody here: Node.js sees to that.

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
/** What a group does with a member. */
export const rebalances = notices<RebalanceNotice>('rebalance');
/** Messages that have failed for good. */
export const deadLetters = notices<DeadLetterNotice>('dead-letter');

/** Partitions that stand still. */
export const stalls = notices<StallNotice>('stalled');
/** Requests that brokers have answered. */
export const networkRequests = notices<NetworkNotice>('network');

function tracing<Context extends object>(name: string): TracingChannel<unknown, Context> {
  return tracingChannel<unknown, Context>(`${NAME}:${name}`);
}

function notices<Message>(name: string): Channel<unknown, Message> {
  return channel(`${NAME}:${name}`) as Channel<unknown, Message>;
}

/** Calls what ends where it began, and tells of it as of a call that was waited for: who subscribes need not know the difference. */
export function traceNow<Context extends { error?: unknown }>(
  tracingOf: TracingChannel<unknown, Context>,
  context: Context,
  call: () => void,
): void {
  const { start, end } = tracingOf;
  start.runStores(context, () => {
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
  });
}

/** Tells of what is over when it becomes known; `error` is in the context where it has failed. */
export function tracePast<Context extends { error?: unknown }>(
  tracingOf: TracingChannel<unknown, Context>,
  context: Context,
): void {
  tracingOf.start.runStores(context, () => undefined);
  if (context.error !== undefined) tracingOf.error.publish(context);
  tracingOf.end.publish(context);
  ended(tracingOf, context);
}

/** Tells of the end of a call whose beginning was told of before. */
export function ended<Context extends object>(
  { asyncStart, asyncEnd }: TracingChannel<unknown, Context>,
  context: Context,
): void {
  asyncStart.runStores(context, () => undefined);
  asyncEnd.publish(context);
}
