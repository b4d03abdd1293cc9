import type { ArgumentMetadata, PipeTransform, Type } from '@nestjs/common';
import { BatchItemError } from '../runner/batch-error.js';

/**
 * Applies a pipe to each value of a batch. A message whose value the pipe refuses is retried or dead-lettered on its
 * own; the others are delivered again without it.
 *
 * ```ts
 * store(@Payload(new BatchItemPipe(new ValidationPipe(), Metric)) metrics: Metric[]) {}
 * ```
 */
export class BatchItemPipe<Value = any, Result = any> implements PipeTransform<Value[], Promise<Result[]>> {
  readonly #pipe: PipeTransform<Value, Result | Promise<Result>>;
  readonly #type: Type | undefined;

  /**
   * `type` is the class of a value, for pipes that need it, because the type of an array parameter does not contain
   * it.
   */
  constructor(pipe: PipeTransform<Value, Result | Promise<Result>>, type?: Type) {
    this.#pipe = pipe;
    this.#type = type;
  }

  /** Applies the pipe to each value. A value that could not be decoded stays undefined. */
  async transform(values: Value[], metadata: ArgumentMetadata): Promise<Result[]> {
    const of: ArgumentMetadata = { ...metadata, metatype: this.#type };
    const results: Result[] = [];
    for (const [index, value] of values.entries()) {
      try {
        results.push(value === undefined ? (value as never) : await this.#pipe.transform(value, of));
      } catch (error) {
        throw new BatchItemError(index, error);
      }
    }
    return results;
  }
}
