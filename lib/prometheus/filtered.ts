import { clients, type ObservedClient } from '../kafkajs/instrumentation/clients.js';
import type { Count, Instruments } from './instruments.js';

/** Messages that no handler has taken; consumers count them by themselves. */
export function registerFiltered(instruments: Instruments): void {
  const filtered = new Filtered();
  instruments.counted(
    'consumer_filtered_total',
    'Messages that no handler has taken, because of their headers.',
    ['group', 'topic'],
    (count) => filtered.add(count),
  );
}

/** What consumers have counted, and how much of it is known. */
class Filtered {
  readonly #known = new Map<ObservedClient, Readonly<Record<string, number>>>();

  constructor() {
    this.add(() => undefined);
  }

  /** Adds what was not known, also of those that have disconnected since. */
  add(count: Count): void {
    for (const client of new Set([...clients, ...this.#known.keys()])) {
      const report = client.report();
      if (report.role !== 'consumer') continue;
      const known = this.#known.get(client) ?? {};
      for (const [topic, total] of Object.entries(report.filtered)) {
        const added = total - (known[topic] ?? 0);
        if (added > 0) count({ group: report.groupId, topic }, added);
      }
      if (clients.has(client)) this.#known.set(client, report.filtered);
      else this.#known.delete(client);
    }
  }
}
