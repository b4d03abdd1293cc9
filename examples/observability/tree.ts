import { SpanStatusCode } from '@opentelemetry/api';
import type { tracing } from '@opentelemetry/sdk-node';

type Span = tracing.ReadableSpan;

/** A trace as lines of text: a span below the one that it is a part of. */
export function traceTree(spans: readonly Span[]): string[] {
  const ids = new Set(spans.map((span) => span.spanContext().spanId));
  const inOrder = spans.toSorted((a, b) => startOf(a) - startOf(b));
  const childrenOf = (id: string): Span[] => inOrder.filter((span) => span.parentSpanContext?.spanId === id);

  const below = (span: Span, indent: string): string[] => {
    const children = childrenOf(span.spanContext().spanId);
    return children.flatMap((child, index) => {
      const isLast = index === children.length - 1;
      const first = `${indent}${isLast ? '└─' : '├─'} ${describe(child)}`;
      return [first, ...below(child, `${indent}${isLast ? '   ' : '│  '}`)];
    });
  };
  const roots = inOrder.filter(({ parentSpanContext }) => !ids.has(parentSpanContext?.spanId ?? ''));
  return roots.flatMap((root) => [describe(root), ...below(root, '')]);
}

function describe({ name, duration, status, links }: Span): string {
  const [seconds, nanoseconds] = duration;
  const milliseconds = (seconds * 1e3 + nanoseconds / 1e6).toFixed(1);
  const failure = status.code === SpanStatusCode.ERROR ? `, failed: ${status.message}` : '';
  const again = links.length > 0 ? ', links to its first delivery' : '';
  return `${name} (${milliseconds} ms${failure}${again})`;
}

const startOf = ({ startTime: [seconds, nanoseconds] }: Span): number => seconds * 1e9 + nanoseconds;
