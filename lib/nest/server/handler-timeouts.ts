import type { IncomingBatch } from '../../codec/incoming.js';
import type { HandlerTimeouts } from '../../runner/handler-watch.js';
import type { PartitionTask } from '../../runner/partition-task.js';
import type { KafkaHandlerOptions } from '../options/index.js';
import type { HandlerRegistry } from './handler-registry.js';

/** The handlers' own time-outs over the server's; undefined if no handler has its own. */
export function handlerTimeouts(
  server: number | undefined,
  handlers: HandlerRegistry,
  optionsOf: (task: PartitionTask, batch: IncomingBatch, index: number) => KafkaHandlerOptions | undefined,
): HandlerTimeouts | undefined {
  const own = [...handlers.all()].flatMap(({ handlerTimeout }) => handlerTimeout ?? []);
  if (own.length === 0) return undefined;
  const others = Number(server ?? Number.POSITIVE_INFINITY);
  return {
    shortest: Math.min(others, ...own),
    of: (task, batch, index) => optionsOf(task, batch, index)?.handlerTimeout ?? others,
  };
}
