import { clients, type ObservedClient } from '../kafkajs/instrumentation/clients.js';
import type { Count, Instruments } from './instruments.js';

/** Registers the counter of filtered messages, which consumers count themselves. */
export function registerFiltered(instruments: Instruments): void {
  const filtered = new Filtered();
  instruments.counted(
    'consumer_filtered_total',
    'Messages that no handler has taken, because of their headers.',
    ['group', 'topic'],
    (count) => filtered.add(count),
  );
}

/** The counts of consumers, and how much of them was already added. */
class Filtered {
  readonly #added = new WeakMap<ObservedClient, ReadonlyMap<string, number>>();
  /** The clients of the last time, which may have gone since. */
  #known: readonly ObservedClient[] = [];

  constructor() {
    this.add(() => undefined);
  }

  /** Adds new counts, also those of consumers that have disconnected since. */
  add(count: Count): void {
    for (const client of new Set([...clients, ...this.#known])) {
      const report = client.report();
      if (report.role !== 'consumer') continue;
      const added = this.#added.get(client);
      const totals = new Map(Object.entries(report.filtered));
      for (const [topic, total] of totals) {
        const more = total - (added?.get(topic) ?? 0);
        if (more > 0) count({ group: report.groupId, topic }, more);
      }
      this.#added.set(client, totals);
    }
    this.#known = [...clients];
  }
}
