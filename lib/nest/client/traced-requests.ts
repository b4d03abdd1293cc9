import type { IncomingBatch } from '../../codec/incoming.js';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { ProcessContext, type ProcessIdentity } from '../../kafkajs/consumer/process-context.js';
import { ended, processTracing, requestTracing, traceNow } from '../../kafkajs/instrumentation/channels.js';
import { CopiedMessage } from '../../kafkajs/producer/traced-sends.js';
import type { TopicPartition, TracedProcess, TracedRequest } from '../../kafkajs/types/index.js';

/** A request that may be traced. */
export interface TraceableRequest {
  /** The topic that it is sent to. */
  readonly asked: string;
  /** The topic of its replies. */
  readonly topic: string;
  readonly partition: number;
  /** The tracing context of the request, if it is traced. */
  traced: TracedRequest | undefined;
}

/** The data of a request besides its message and its reply partition. */
type RequestOrigin = Pick<
  TracedRequest,
  'clientId' | 'clusterId' | 'bootstrapServers' | 'groupId' | 'correlationId'
>;

/** Publishes a request and writes a copy of its message, to which subscribers may add headers. */
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

/** The request has ended; without an error and without a reply, it was cancelled. */
export function traceRequestEnd(
  request: TraceableRequest,
  end: { readonly err?: unknown; readonly response?: unknown; readonly isDisposed?: boolean },
): void {
  const context = request.traced;
  if (context === undefined) return;
  request.traced = undefined;
  // An error that is not a reply has only `err`.
  context.isReplied ||= end.isDisposed === true;
  if (end.err) {
    context.error = end.err;
    requestTracing.error.publish(context);
  } else context.result = end.response;
  ended(requestTracing, context);
}

/** The tracing context of a reply in its subscriber. */
export class ReplyContext extends ProcessContext {
  constructor(client: ProcessIdentity, reply: TopicPartition, batch: IncomingBatch, index: number) {
    super(client, reply, batch, index, { isReply: true });
  }

  /** Calls the subscriber, with tracing. */
  trace(call: () => void): void {
    traceNow<TracedProcess>(processTracing, this, call);
  }
}
