import type { Application } from '../inspection/application.js';

/** NestJS's default. */
const DEFAULT_BROKERS = ['localhost:9092'];

/** What of an application works with one cluster. */
export interface ClusterPart extends Pick<Application, 'servers' | 'clients' | 'drivers'> {
  /** The cluster's bootstrap brokers; empty where a function names them. */
  readonly brokers: readonly string[];
}

type Part = { -readonly [name in keyof Omit<ClusterPart, 'brokers'>]: ClusterPart[name][number][] };

/** Splits an application by clusters. Lists that share a broker, and the same function, are of one cluster. */
export function partsOf({
  servers,
  clients,
  drivers,
}: Pick<Application, 'servers' | 'clients' | 'drivers'>): ClusterPart[] {
  const clusters: (Part & { names: Set<unknown> })[] = [];
  const clusterOf = (brokers: unknown): Part => {
    const names = Array.isArray(brokers) ? (brokers as unknown[]) : [brokers];
    const shared = clusters.filter((cluster) => names.some((name) => cluster.names.has(name)));
    const [cluster = { names: new Set(), servers: [], clients: [], drivers: [] }, ...others] = shared;
    if (shared.length === 0) clusters.push(cluster);
    for (const name of names) cluster.names.add(name);
    for (const other of others) {
      for (const name of other.names) cluster.names.add(name);
      cluster.servers.push(...other.servers);
      cluster.clients.push(...other.clients);
      cluster.drivers.push(...other.drivers);
      clusters.splice(clusters.indexOf(other), 1);
    }
    return cluster;
  };
  for (const server of servers) clusterOf(brokersOf(server.options)).servers.push(server);
  for (const client of clients) clusterOf(brokersOf(client.options)).clients.push(client);
  for (const driver of drivers) clusterOf(driver.brokers ?? DEFAULT_BROKERS).drivers.push(driver);
  return clusters.map(({ names, ...part }) => ({
    ...part,
    brokers: [...names].filter((name) => typeof name === 'string'),
  }));
}

const brokersOf = (options: Readonly<Record<string, unknown>>): unknown =>
  (options['client'] as { brokers?: unknown } | undefined)?.brokers ?? DEFAULT_BROKERS;
