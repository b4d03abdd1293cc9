import type { Registry } from 'prom-client';
import { registerEvents } from './events.js';
import { registerFiltered } from './filtered.js';
import { registerGauges } from './gauges.js';
import { Instruments } from './instruments.js';

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Options of {@link registerKafkaMetrics}. */
export interface KafkaMetricsOptions {
  /** Prefix of the metrics' names. Default: `kafka_`. */
  prefix?: string;
  /** Additional labels of each metric, with their values. Default: none. */
  labels?: Record<string, string | number>;
  /** Upper bounds of the histograms' buckets, in seconds, ascending. Default: 1 ms to 60 s. */
  buckets?: number[];
}

/** Metrics that were registered. */
export interface KafkaMetrics {
  /** Removes the metrics from the registry and stops counting. */
  unregister(): void;
}

/**
 * Registers metrics of all Kafka servers, clients, consumers and producers of this process, also those created later:
 *
 * ```ts
 * registerKafkaMetrics(register);
 * ```
 *
 * @throws Error, of `prom-client`, when the registry has metrics of these names already; it has no others then than before.
 */
export function registerKafkaMetrics(
  registry: Registry,
  { prefix = 'kafka_', labels = {}, buckets = BUCKETS }: KafkaMetricsOptions = {},
): KafkaMetrics {
  const instruments = new Instruments({ registry, prefix, labels, buckets });
  let end: () => void;
  try {
    registerGauges(instruments);
    registerFiltered(instruments);
    end = registerEvents(instruments);
  } catch (error) {
    instruments.remove();
    throw error;
  }
  return {
    unregister: () => {
      end();
      instruments.remove();
    },
  };
}
