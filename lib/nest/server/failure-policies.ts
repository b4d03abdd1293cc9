import { resolveRetry } from '../../kafkajs/retry/retry.js';
import type { FailurePolicy } from '../../runner/failure-policy.js';
import type { DeadLetterOptions, KafkaHandlerOptions, NestKafkaOptions } from '../options/index.js';
import { DeadLetterWriter, type DeadLetterPorts } from './dead-letter-writer.js';
import { waitingPolicy } from './waiting.js';

/** The failure policies of handlers: their own options merged over the server's. */
export class FailurePolicies {
  readonly #options: NestKafkaOptions;
  readonly #ports: DeadLetterPorts;
  readonly #policies = new Map<KafkaHandlerOptions | undefined, FailurePolicy>();

  constructor(options: NestKafkaOptions, ports: DeadLetterPorts) {
    this.#options = options;
    this.#ports = ports;
  }

  /** The policy of a handler with these options, or without any. */
  of(handler: KafkaHandlerOptions | undefined): FailurePolicy {
    let policy = this.#policies.get(handler);
    if (policy === undefined) {
      policy = this.#make(handler);
      this.#policies.set(handler, policy);
    }
    return policy;
  }

  #make(handler: KafkaHandlerOptions | undefined): FailurePolicy {
    const { client, consumer, parser } = this.#options;
    const deadLetter = deadLetterOf(this.#options, handler);
    const retry = resolveRetry(client?.retry, consumer?.retry, handler?.retry, deadLetter?.backoff);
    // What only waits is no reason to give up on a message, nor to crash.
    const waiting = waitingPolicy(this.#ports.logger);
    if (deadLetter === undefined) return { retry, ...waiting };
    const writer = new DeadLetterWriter(deadLetter, parser?.keepBinary ?? false, this.#ports);
    // With dead letters the consumer itself never gives up on a message.
    return {
      retry: { ...retry, retries: Number.POSITIVE_INFINITY },
      recover: writer.take.bind(writer),
      isFinal: writer.isFinal.bind(writer),
      ...waiting,
      goesOn: this.#ports.retries !== undefined && Boolean(deadLetter.retryTopics),
    };
  }
}

/** A handler's `deadLetter`: its own options merged over the server's. */
export function deadLetterOf(
  { deadLetter }: NestKafkaOptions,
  handler: KafkaHandlerOptions | undefined,
): DeadLetterOptions | undefined {
  const own = handler?.deadLetter;
  if (own === false) return undefined;
  if (own === undefined) return deadLetter;
  return { ...deadLetter, ...own, backoff: { ...deadLetter?.backoff, ...own.backoff } };
}
