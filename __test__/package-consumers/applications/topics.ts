/** The topics of one run of the scenario, with the partitions that each needs. */
export function topicsOf(prefix: string): Record<string, number> {
  const requests = ['sum', 'count', 'refuse', 'retry', 'greet.one'];
  const events = ['born', 'flaky', 'seen.one', 'seen.two'];
  return Object.fromEntries([
    ...requests.flatMap((name) => [
      [`${prefix}.${name}`, 1],
      [`${prefix}.${name}.reply`, 1],
    ]),
    ...events.map((name) => [`${prefix}.${name}`, 1]),
  ]);
}
