import type { IncomingBatch } from '../../codec/incoming.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { ProcessContext, type ProcessIdentity } from '../../kafkajs/consumer/process-context.js';
import { ended, processTracing, requestTracing, traceNow } from '../../kafkajs/instrumentation/channels.js';
import { CopiedMessage } from '../../kafkajs/producer/traced-sends.js';
import type { TopicPartition, TracedProcess, TracedRequest } from '../../kafkajs/types/index.js';

/** A request that is traced. */
export interface TraceableRequest {
  /** The topic that is asked. */
  readonly asked: string;
  /** Where its replies arrive. */
  readonly topic: string;
  readonly partition: number;
  /** What those who trace requests were told of this one. */
  traced: TracedRequest | undefined;
}

/** What is known of a request besides its message and its reply partition. */
type RequestOrigin = Pick<
  TracedRequest,
  'clientId' | 'clusterId' | 'bootstrapServers' | 'groupId' | 'correlationId'
>;

/** Tells of a request, and writes what subscribers have made of it: a copy, in which they may write headers. */
export function traceRequest(
  request: TraceableRequest,
  record: OutgoingRecord,
  origin: RequestOrigin,
  write: (record: OutgoingRecord) => void,
): void {
  const copy = new CopiedMessage(record);
  const context: TracedRequest = {
    ...origin,
    topic: request.asked,
    message: copy.traced,
    replyTopic: request.topic,
    replyPartition: request.partition,
    isReplied: false,
  };
  request.traced = context;
  requestTracing.start.runStores(context, () => {
    try {
      write(copy.record());
    } finally {
      requestTracing.end.publish(context);
    }
  });
}

/** The request is over; without an error and without a reply, nobody waits for it any more. */
export function traceRequestEnd(
  request: TraceableRequest,
  end: { readonly err?: unknown; readonly response?: unknown; readonly isDisposed?: boolean },
): void {
  const context = request.traced;
  if (context === undefined) return;
  request.traced = undefined;
  // What ends a request instead of a reply says only `err`.
  context.isReplied ||= end.isDisposed === true;
  if (end.err) {
    context.error = end.err;
    requestTracing.error.publish(context);
  } else context.result = end.response;
  ended(requestTracing, context);
}

/** A reply with whoever waits for it. */
export class ReplyContext extends ProcessContext {
  constructor(client: ProcessIdentity, reply: TopicPartition, batch: IncomingBatch, index: number) {
    super(client, reply, batch, index, { isReply: true });
  }

  /** Calls whoever waits for the reply, and tells of it. */
  trace(call: () => void): void {
    traceNow<TracedProcess>(processTracing, this, call);
  }
}
