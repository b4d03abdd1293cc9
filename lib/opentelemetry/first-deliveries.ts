import type { Link, SpanContext } from '@opentelemetry/api';
import type { TracedProcess } from '../kafkajs/types/index.js';

/** Most messages that are remembered; with more failing at once, links between spans are dropped. */
const MOST = 1000;

/** The spans of failed first deliveries, to which the spans of later deliveries link. */
export class FirstDeliveries {
  readonly #spans = new Map<string, SpanContext>();

  /** A link to the span of the message's first delivery, if this is a later one. */
  link(context: TracedProcess): Link | undefined {
    if (context.attempt === 1) return undefined;
    const first = this.#spans.get(keyOf(context));
    return first && { context: first };
  }

  /** A delivery has failed. */
  failed(context: TracedProcess, span: SpanContext): void {
    if (context.attempt > 1) return;
    this.#spans.set(keyOf(context), span);
    if (this.#spans.size <= MOST) return;
    for (const oldest of this.#spans.keys()) {
      this.#spans.delete(oldest);
      return;
    }
  }

  /** A message was handled: its first span is no longer needed. */
  handled(context: TracedProcess): void {
    if (context.attempt > 1) this.#spans.delete(keyOf(context));
  }
}

const keyOf = ({ groupId, topic, partition, offset }: TracedProcess): string =>
  `${groupId} ${topic} ${partition} ${offset}`;
