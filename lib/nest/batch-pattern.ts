import { EventPattern } from '@nestjs/microservices';
import type { BatchOptions, KafkaHandlerOptions } from './options/index.js';

/**
 * `@EventPattern` for a handler of batches: it gets several messages of a partition at once, their values as an
 * array, and a {@link KafkaBatchContext}.
 *
 * ```ts
 * @BatchPattern('metrics', { maxMessages: 500 })
 * async store(@Payload() metrics: Metric[], @Ctx() context: KafkaBatchContext) {}
 * ```
 */
export function BatchPattern(
  topic: string | RegExp,
  batch: BatchOptions = {},
  options: Omit<KafkaHandlerOptions, 'batch'> = {},
): MethodDecorator {
  return EventPattern(topic, { kafka: { ...options, batch } });
}
