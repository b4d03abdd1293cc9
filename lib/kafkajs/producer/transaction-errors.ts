import { isKafkaError, type LibrdkafkaError } from '../errors/index.js';

/** librdkafka's errors that only mean that there was an earlier one, which is reported instead. */
const CONSEQUENCES: ReadonlySet<string> = new Set(['_STATE', '_FATAL', '_PURGE_QUEUE', '_PURGE_INFLIGHT']);

/** The types of librdkafka's or the broker's errors among an error and its causes. */
export function typesOf(error: unknown): string[] {
  const types: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { type } = cause as Partial<LibrdkafkaError>;
    if (type !== undefined) types.push(type);
  }
  return types;
}

/** Whether an error only means that there was an earlier one. */
export const isConsequence = (error: unknown): boolean =>
  typesOf(error).some((type) => CONSEQUENCES.has(type));

/** Whether the producer cannot be used any more. */
export const isLost = (error: unknown): boolean => isKafkaError(error) && error.fatal === true;
