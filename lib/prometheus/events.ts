import type { Channel, TracingChannel } from 'node:diagnostics_channel';
import {
  batchTracing,
  commitTracing,
  deadLetters,
  processTracing,
  rebalances,
  requestTracing,
  sendTracing,
  stalls,
} from '../kafkajs/instrumentation/channels.js';
import type { TracedMessage, TracedSend } from '../kafkajs/types/index.js';
import { producers } from './gauges.js';
import type { Instruments } from './instruments.js';

const TIMEOUT = 'KafkaReplyTimeoutError';
const LOST = 'KafkaReplyLostError';

/** Counts and measures published events; the returned function stops it. */
export function registerEvents(instruments: Instruments): () => void {
  const watch = new Watch();
  try {
    watchHandlers(instruments, watch);
    watchGroups(instruments, watch);
    watchRequests(instruments, watch);
    watchSends(instruments, watch);
  } catch (error) {
    watch.end();
    throw error;
  }
  return () => watch.end();
}

/** Subscriptions that end together, and the start times of calls in progress. */
class Watch {
  readonly #undo: (() => void)[] = [];
  readonly #started = new WeakMap<object, number>();

  on<Message>(channel: Channel<unknown, Message>, listener: (message: Message) => void): void {
    const plain = listener as (message: unknown) => void;
    channel.subscribe(plain);
    this.#undo.push(() => channel.unsubscribe(plain));
  }

  /** Measures calls, in milliseconds. */
  calls<Context extends object>(
    { start, asyncEnd }: TracingChannel<unknown, Context>,
    ended: (context: Context, duration: number) => void,
  ): void {
    this.on(start as Channel<unknown, Context>, (context) => {
      this.#started.set(context, performance.now());
    });
    this.on(asyncEnd as Channel<unknown, Context>, (context) => {
      const started = this.#started.get(context);
      if (started !== undefined) ended(context, performance.now() - started);
    });
  }

  end(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}

function watchHandlers(instruments: Instruments, watch: Watch): void {
  const labels = ['group', 'topic'];
  const duration = instruments.histogram(
    'consumer_handler_duration_seconds',
    'How long handlers take, for a message or for the batch that they get.',
    labels,
  );
  const handled = instruments.counter('consumer_handled_total', 'Messages that were handled.', labels);
  const failed = instruments.counter(
    'consumer_failed_total',
    'Deliveries that failed, and requests whose client was sent an error.',
    labels,
  );
  const again = instruments.counter(
    'consumer_redeliveries_total',
    'Deliveries of messages that had failed before.',
    labels,
  );
  const dead = instruments.counter(
    'consumer_dead_letters_total',
    'Messages that were moved to a dead-letter topic.',
    labels,
  );
  const stalled = instruments.counter(
    'consumer_stalls_total',
    'Times that a partition stood still for longer than consumer.stallTimeout.',
    labels,
  );
  watch.calls(processTracing, (context, took) => {
    const { groupId: group, topic, attempt, isReply, error, handlerError } = context;
    if (isReply) return;
    const values = { group, topic };
    duration(values, took);
    (error === undefined && handlerError === undefined ? handled : failed)(values);
    if (attempt > 1) again(values);
  });
  watch.calls(batchTracing, ({ groupId: group, topic, size, error }, took) => {
    const values = { group, topic };
    duration(values, took);
    if (error === undefined) handled(values, size);
    else failed(values);
  });
  watch.on(deadLetters, ({ groupId: group, topic }) => dead({ group, topic }));
  watch.on(stalls, ({ groupId: group, partitions }) => {
    for (const { topic } of partitions) stalled({ group, topic });
  });
}

function watchGroups(instruments: Instruments, watch: Watch): void {
  const assigned = instruments.counter(
    'consumer_rebalances_total',
    'Assignments of partitions that a consumer has got.',
    ['group'],
  );
  const duration = instruments.histogram(
    'consumer_rebalance_duration_seconds',
    'How long it took from the beginning of a join to the assignment.',
    ['group'],
  );
  const failures = instruments.counter('consumer_commit_failures_total', 'Commits that have failed.', [
    'group',
  ]);
  watch.on(rebalances, ({ type, groupId: group, duration: took }) => {
    if (type !== 'assigned') return;
    assigned({ group });
    if (took !== undefined) duration({ group }, took);
  });
  watch.on(commitTracing.error as Channel<unknown, { groupId: string }>, ({ groupId: group }) =>
    failures({ group }),
  );
}

function watchRequests(instruments: Instruments, watch: Watch): void {
  const labels = ['client', 'topic'];
  const duration = instruments.histogram(
    'client_request_duration_seconds',
    'How long requests wait for their last reply, or for what comes instead of it.',
    labels,
  );
  const timeouts = instruments.counter(
    'client_reply_timeouts_total',
    'Requests that were not answered within replyTimeout.',
    labels,
  );
  const lost = instruments.counter(
    'client_replies_lost_total',
    'Requests whose replies cannot arrive any more.',
    labels,
  );
  watch.calls(requestTracing, ({ clientId: client, topic, error }, took) => {
    const values = { client, topic };
    duration(values, took);
    const name = (error as { name?: unknown } | undefined)?.name;
    if (name === TIMEOUT) timeouts(values);
    else if (name === LOST) lost(values);
  });
}

function watchSends(instruments: Instruments, watch: Watch): void {
  const labels = ['client', 'topic'];
  const sent = instruments.counter('producer_messages_total', 'Messages that were delivered.', labels);
  const failed = instruments.counter('producer_failures_total', 'Messages that were not delivered.', labels);
  const queued = new Map<string, number>();
  const sizes = new WeakMap<TracedSend, number>();
  instruments.gauge(
    'producer_queue_bytes',
    'Bytes that are sent and not acknowledged: of keys, values and headers of messages, of keys and values of requests and replies.',
    ['client'],
    (put) => {
      for (const [client, bytes] of queued) put({ client }, bytes);
      // Those of requests and replies the core knows.
      for (const { clientId: client, rpcBytes } of producers()) put({ client }, rpcBytes);
    },
  );
  const add = (client: string, bytes: number): void => {
    queued.set(client, (queued.get(client) ?? 0) + bytes);
  };
  watch.on(sendTracing.start as Channel<unknown, TracedSend>, (send) => {
    const size = send.messages.reduce((sum, message) => sum + sizeOf(message), 0);
    sizes.set(send, size);
    add(send.clientId, size);
  });
  watch.on(sendTracing.asyncEnd as Channel<unknown, TracedSend>, (send) => {
    const size = sizes.get(send);
    if (size === undefined) return;
    const { clientId: client, topic, messages, error } = send;
    add(client, -size);
    (error === undefined ? sent : failed)({ client, topic }, messages.length);
  });
}

function sizeOf({ key, value, headers }: TracedMessage): number {
  let size = lengthOf(key) + lengthOf(value);
  for (const [name, header] of Object.entries(headers)) {
    for (const one of [header].flat()) size += lengthOf(name) + lengthOf(one);
  }
  return size;
}

/** Fields are as the application gave them: those of another type are refused later, by the send itself. */
function lengthOf(field: unknown): number {
  if (typeof field === 'string') return Buffer.byteLength(field);
  return field instanceof Uint8Array ? field.byteLength : 0;
}
