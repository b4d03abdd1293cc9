import {
  createNoopMeter,
  type Attributes,
  type Counter,
  type Histogram,
  type Meter,
} from '@opentelemetry/api';
import type { NetworkNotice } from '../kafkajs/types/index.js';
import { ATTRIBUTES, KAFKA } from './attributes.js';

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The instruments of the conventions for messaging clients. */
export class MessagingMetrics {
  readonly #operations: Histogram;
  readonly #sent: Counter;
  readonly #consumed: Counter;
  readonly #processing: Histogram;

  constructor(meter: Meter) {
    const advice = { explicitBucketBoundaries: BUCKETS };
    this.#operations = meter.createHistogram('messaging.client.operation.duration', { advice });
    this.#sent = meter.createCounter('messaging.client.sent.messages');
    this.#consumed = meter.createCounter('messaging.client.consumed.messages');
    this.#processing = meter.createHistogram('messaging.process.duration', { advice });
  }

  /** Whether the metrics are collected. */
  get areTaken(): boolean {
    return this.#operations.constructor !== createNoopMeter().createHistogram('none').constructor;
  }

  /** Messages were sent, or sending them failed. */
  sent(topic: string, partition: number | undefined, errorType: string | undefined): void {
    this.#sent.add(1, {
      ...of('send', topic, errorType),
      ...(partition !== undefined && { [ATTRIBUTES.partition]: String(partition) }),
    });
  }

  /** Messages were passed to a handler. */
  consumed(count: number, topic: string, partition: number, errorType: string | undefined): void {
    const attributes = of('process', topic, errorType);
    this.#consumed.add(count, { ...attributes, [ATTRIBUTES.partition]: String(partition) });
  }

  /** A handler took `duration` milliseconds. */
  processed(duration: number, topic: string, partition: number, errorType: string | undefined): void {
    const attributes = of('process', topic, errorType);
    this.#processing.record(duration / 1000, { ...attributes, [ATTRIBUTES.partition]: String(partition) });
  }

  /** A broker has answered a request. */
  answered({ broker, apiName, duration }: NetworkNotice): void {
    // The address may be an IPv6 one, in brackets.
    const colon = broker.lastIndexOf(':');
    const address = broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    const port = broker.slice(colon + 1);
    this.#operations.record(duration / 1000, {
      [ATTRIBUTES.system]: KAFKA,
      [ATTRIBUTES.operation]: apiName,
      [ATTRIBUTES.serverAddress]: address,
      [ATTRIBUTES.serverPort]: Number.parseInt(port, 10),
    });
  }
}

function of(operation: string, topic: string, errorType: string | undefined): Attributes {
  return {
    [ATTRIBUTES.system]: KAFKA,
    [ATTRIBUTES.operation]: operation,
    [ATTRIBUTES.destination]: topic,
    ...(errorType !== undefined && { [ATTRIBUTES.errorType]: errorType }),
  };
}
