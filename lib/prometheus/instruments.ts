import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the metrics of a registry have in common. */
export interface InstrumentOptions {
  readonly registry: Registry;
  readonly prefix: string;
  /** Labels of all metrics, with their values. */
  readonly labels: Readonly<Record<string, string | number>>;
  /** Upper bounds of the histograms' buckets, in seconds. */
  readonly buckets: number[];
}

type Values = Readonly<Record<string, string | number>>;

/** Counts. */
export type Count = (values: Values, by?: number) => void;
/** Records a duration in milliseconds. */
export type Measure = (values: Values, milliseconds: number) => void;

const sum = (one: number, other: number): number => one + other;

/** Creates metrics with the common prefix and labels in a registry. */
export class Instruments {
  readonly #options: InstrumentOptions;
  readonly #names: string[] = [];

  constructor(options: InstrumentOptions) {
    this.#options = options;
  }

  #common(
    name: string,
    help: string,
    labels: readonly string[],
  ): { name: string; help: string; labelNames: string[]; registers: Registry[] } {
    const { registry, prefix, labels: own } = this.#options;
    return {
      name: `${prefix}${name}`,
      help,
      labelNames: [...Object.keys(own), ...labels],
      registers: [registry],
    };
  }

  /** Notes a metric that the registry has taken, to be removed; one that it has refused may be somebody else's. */
  #registered(name: string): void {
    this.#names.push(`${this.#options.prefix}${name}`);
  }

  counter(name: string, help: string, labels: readonly string[]): Count {
    const counter = new Counter(this.#common(name, help, labels));
    this.#registered(name);
    return (values, by = 1) => counter.inc({ ...this.#options.labels, ...values }, by);
  }

  histogram(name: string, help: string, labels: readonly string[]): Measure {
    const histogram = new Histogram({ ...this.#common(name, help, labels), buckets: this.#options.buckets });
    this.#registered(name);
    return (values, milliseconds) =>
      histogram.observe({ ...this.#options.labels, ...values }, milliseconds / 1000);
  }

  /** A counter that is counted elsewhere: `added` is called when the registry is scraped, to add the difference. */
  counted(name: string, help: string, labels: readonly string[], added: (count: Count) => void): void {
    const counter: Counter = new Counter({
      ...this.#common(name, help, labels),
      collect: () => added((values, by = 1) => counter.inc({ ...this.#options.labels, ...values }, by)),
    });
    this.#registered(name);
  }

  /**
   * A gauge whose values are read when the registry is scraped. Several values with the same labels make one, by `together`: clients
   * may have all of their names in common.
   */
  gauge(
    name: string,
    help: string,
    labels: readonly string[],
    read: (add: (values: Values, value: number) => void) => void,
    together: (one: number, other: number) => number = sum,
  ): void {
    const { labels: own } = this.#options;
    const gauge: Gauge = new Gauge({
      ...this.#common(name, help, labels),
      collect: () => {
        // Partitions that are no longer assigned have no value.
        gauge.reset();
        const all = new Map<string, { values: Values; value: number }>();
        read((values, value) => {
          const key = JSON.stringify(labels.map((label) => values[label]));
          const known = all.get(key);
          all.set(key, { values, value: known === undefined ? value : together(known.value, value) });
        });
        for (const { values, value } of all.values()) gauge.set({ ...own, ...values }, value);
      },
    });
    this.#registered(name);
  }

  /** Removes the metrics from the registry. */
  remove(): void {
    for (const name of this.#names.splice(0)) this.#options.registry.removeSingleMetric(name);
  }
}
