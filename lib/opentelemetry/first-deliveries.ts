import type { Link, SpanContext } from '@opentelemetry/api';
import type { TracedProcess } from '../kafkajs/types/index.js';

/** Messages that are remembered; an application that fails on more at once has other worries than the links of its spans. */
const MOST = 1000;

/** The spans of messages whose first delivery has failed: those of later ones link to them. */
export class FirstDeliveries {
  readonly #spans = new Map<string, SpanContext>();

  /** A link to the span of the message's first delivery, if this is another one. */
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

  /** A delivery was the last one. */
  handled(context: TracedProcess): void {
    if (context.attempt > 1) this.#spans.delete(keyOf(context));
  }
}

const keyOf = ({ groupId, topic, partition, offset }: TracedProcess): string =>
  `${groupId} ${topic} ${partition} ${offset}`;
