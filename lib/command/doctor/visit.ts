import type { Admin } from '../../kafkajs/admin/admin.js';
import type { KafkaConfig } from '../../kafkajs/types/index.js';
import type { Application, InspectedClient, InspectedServer } from '../inspection/application.js';
import type { Diagnoses } from './finding.js';

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
    const key = JSON.stringify([brokers, ssl, sasl], (_, value: unknown) =>
      typeof value === 'function' ? String(value) : value,
    );
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

/** Whether a server or client joins its group with the consumer protocol of KIP-848. */
export function usesConsumerProtocol(options: Readonly<Record<string, unknown>>): boolean {
  const { groupProtocol, librdkafka } = (options['consumer'] ?? {}) as {
    groupProtocol?: string;
    librdkafka?: Record<string, unknown>;
  };
  return (librdkafka?.['group.protocol'] ?? groupProtocol) === 'consumer';
}
