import type { Admin } from '../../kafkajs/admin/admin.js';
import type { KafkaConfig } from '../../kafkajs/types/index.js';
import { isGiven } from '../../options/given.js';
import type { Application, InspectedClient, InspectedServer } from '../inspection/application.js';
import type { Diagnoses } from './finding.js';

type Options = Readonly<Record<string, unknown>>;

/** NestJS's default broker. */
const DEFAULT_BROKERS = ['localhost:9092'];
/** One cluster, with the options to connect to it, and the servers and clients that use it. */
export interface ClusterUse {
  readonly config: KafkaConfig;
  readonly servers: readonly InspectedServer[];
  readonly clients: readonly InspectedClient[];
}

/** The data of the online checks. */
export interface Visit extends ClusterUse {
  readonly admin: Admin;
  /** Number of the application's processes that run at once. */
  readonly instances: number;
  readonly diagnoses: Diagnoses;
  /** A setting of the first broker; undefined if this client is not authorized to ask for it. */
  brokerSetting(name: string): Promise<string | undefined>;
}

/** Options without which another cluster would be looked at, or in another way. */
const WHERE_AND_HOW = ['brokers', 'ssl', 'sasl'] as const;

/**
 * The servers, or clients, whose clusters can be looked at: nothing of where and how to connect was refused. `isNamed` says
 * that other brokers are to be used.
 */
export function connectableOf<T extends InspectedServer | InspectedClient>(
  usable: readonly T[],
  given: readonly T[],
  isNamed: boolean,
  diagnoses: Diagnoses,
): T[] {
  return usable.filter((user, index) => {
    const [before, after] = [given[index], user].map((one) => (one?.options['client'] ?? {}) as Options);
    const lost = WHERE_AND_HOW.filter(
      (name) => isGiven(before?.[name]) && !isGiven(after?.[name]) && !(name === 'brokers' && isNamed),
    );
    if (lost.length === 0) return true;
    const names = lost.map((name) => `client.${name}`).join(' and ');
    diagnoses.note(`The cluster of group ${user.groupId} was not looked at: ${names} cannot be used`);
    return false;
  });
}

/** The clusters that an application uses: its servers and clients, grouped by brokers and credentials. */
export function clustersOf({ servers, clients }: Pick<Application, 'servers' | 'clients'>): ClusterUse[] {
  const uses = new Map<
    string,
    { config: KafkaConfig; servers: InspectedServer[]; clients: InspectedClient[] }
  >();
  const useOf = (
    user: InspectedServer | InspectedClient,
  ): { servers: InspectedServer[]; clients: InspectedClient[] } => {
    const client = (user.options['client'] ?? {}) as Partial<KafkaConfig>;
    const { brokers = DEFAULT_BROKERS, ssl, sasl } = client;
    const key = keyOf([brokers, ssl, sasl]);
    let use = uses.get(key);
    if (use === undefined) {
      const config = { ...client, brokers, clientId: user.clientId } as KafkaConfig;
      uses.set(key, (use = { config, servers: [], clients: [] }));
    }
    return use;
  };
  for (const server of servers) useOf(server).servers.push(server);
  for (const client of clients) useOf(client).clients.push(client);
  return [...uses.values()];
}

/** A text that is the same for equal options, which may have anything in them, also themselves. */
function keyOf(options: unknown): string {
  const seen = new Set<unknown>();
  return JSON.stringify(options, (_, value: unknown) => {
    if (typeof value === 'function' || typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return 'as before';
    seen.add(value);
    return value;
  });
}

/** Whether a server or client joins its group with the consumer protocol of KIP-848. */
export function usesConsumerProtocol(options: Readonly<Record<string, unknown>>): boolean {
  const { groupProtocol, librdkafka } = (options['consumer'] ?? {}) as {
    groupProtocol?: string;
    librdkafka?: Record<string, unknown>;
  };
  return (librdkafka?.['group.protocol'] ?? groupProtocol) === 'consumer';
}
