import { Kafka } from '../../kafkajs/kafka.js';
import type { Admin } from '../../kafkajs/admin/admin.js';
import { mechanismInstead, saslInWords } from '../../kafkajs/cluster/connection-error.js';
import type { KafkaConfig } from '../../kafkajs/types/index.js';
import { counted, MEND_AND_REPEAT, type Diagnoses } from './finding.js';
import { checkAccess } from './access.js';
import { checkGroups } from './groups.js';
import { checkListeners } from './listeners.js';
import { refused } from './options.js';
import { checkTopics } from './topics.js';
import { usesConsumerProtocol, type ClusterUse, type Visit } from './visit.js';

/** Time limit for a connection, in milliseconds. */
const CONNECT_TIMEOUT = 10_000;

/** Checks a cluster, and the topics, groups and access of the application in it. Writes nothing to it. */
export async function checkCluster(use: ClusterUse, instances: number, diagnoses: Diagnoses): Promise<void> {
  const { logCreator: _, ...config } = use.config;
  let admin: Admin | undefined;
  try {
    admin = new Kafka({
      connectionTimeout: CONNECT_TIMEOUT,
      ...config,
      // Failures are reported as findings, not by the log.
      logLevel: 0,
    }).admin();
    await admin.connect();
  } catch (error) {
    if (admin === undefined) refused(error as Error, 'the connection', diagnoses);
    else await unconnected(error, use.config, diagnoses);
    await admin?.disconnect();
    return;
  }
  try {
    await visit({ ...use, admin, instances, diagnoses, brokerSetting: settingsOf(admin) });
  } finally {
    await admin.disconnect();
  }
}

/** Reports a cluster that cannot be connected to. */
async function unconnected(reason: unknown, config: KafkaConfig, diagnoses: Diagnoses): Promise<void> {
  let brokers: string | undefined;
  try {
    brokers = await brokersOf(config);
  } catch {
    // The reason of the connection is that of the function too.
  }
  diagnoses.error('connection', {
    what: `No connection to ${brokers ?? 'the brokers of a function, which has failed'}`,
    why: reasonOf(reason),
    fix: connectionFix(reasonOf(reason), config.sasl),
  });
  if (brokers !== undefined) await checkListeners(config, addresses(brokers), 'bootstrap', diagnoses);
}

async function visit(cluster: Visit): Promise<void> {
  const { admin, config, diagnoses } = cluster;
  let described: Awaited<ReturnType<Admin['describeCluster']>>;
  try {
    described = await admin.describeCluster();
  } catch (error) {
    diagnoses.error('request', {
      what: `The cluster did not say which brokers it has: ${reasonOf(error)}`,
      why: 'Nothing of it was looked at',
      fix: MEND_AND_REPEAT,
    });
    return;
  }
  const { brokers, clusterId } = described;
  diagnoses.checked(`cluster ${clusterId} of ${counted(brokers.length, 'broker')}`);
  const listeners = brokers.map(({ host, port, nodeId }) => ({ host, port, name: `broker ${nodeId}` }));
  const newer = [...cluster.servers, ...cluster.clients].some(({ options }) => usesConsumerProtocol(options));
  const isReached = await checkListeners(config, listeners, 'advertised', diagnoses, newer);
  if (!isReached) {
    diagnoses.note('Topics, groups and rights were not looked at: that takes all brokers');
    return;
  }
  for (const look of [
    () => checkTopics(cluster, brokers.length),
    () => checkGroups(cluster),
    () => checkAccess(cluster),
  ]) {
    try {
      await look();
    } catch (error) {
      diagnoses.error('request', {
        what: `A request to cluster ${clusterId} failed: ${reasonOf(error)}`,
        why: 'What it would have told was not looked at',
        fix: MEND_AND_REPEAT,
      });
    }
  }
}

function settingsOf(admin: Admin): Visit['brokerSetting'] {
  let all: Promise<ReadonlyMap<string, string> | undefined> | undefined;
  const ask = async (): Promise<ReadonlyMap<string, string> | undefined> => {
    try {
      const { brokers } = await admin.describeCluster();
      const { resources } = await admin.describeConfigs({
        resources: [{ type: 4, name: String(brokers[0]?.nodeId) }],
        includeSynonyms: false,
      });
      return new Map(
        (resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]),
      );
    } catch {
      return undefined; // Not authorized to ask: then this is not checked.
    }
  };
  return async (name) => (await (all ??= ask()))?.get(name);
}

async function brokersOf({ brokers }: KafkaConfig): Promise<string> {
  return (typeof brokers === 'function' ? await brokers() : brokers).join(',');
}

function addresses(brokers: string): { host: string; port: number; name: string }[] {
  return brokers.split(',').map((address) => {
    const at = address.lastIndexOf(':');
    const [host, port] = at === -1 ? [address, '9092'] : [address.slice(0, at), address.slice(at + 1)];
    return { host: host.replaceAll(/[[\]]/g, '').trim(), port: Number(port), name: address.trim() };
  });
}

/** The innermost reason. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? reasonOf(cause) : message;
}

/** The text after the last semicolon, without the end of a parenthesis that began before. */
function wayOutOf(reason: string): string {
  const text = reason.slice(reason.lastIndexOf('; ') + 1).trim();
  return text.split(')').length > text.split('(').length ? text.slice(0, -1) : text;
}

/** What a connection error says to do, in words of options: the text after its last colon or parenthesis. */
function connectionFix(reason: string, sasl: KafkaConfig['sasl']): string {
  const mechanism = mechanismInstead(reason);
  if (mechanism !== undefined) return mechanism;
  if (/refused the credentials|authentication/i.test(reason)) {
    return `client.sasl: ${saslInWords(sasl)} as the broker's administrator gave them; the mechanism has to be one of the listener's sasl.enabled.mechanisms`;
  }
  if (/certificate|ssl|tls/i.test(reason)) return `client.ssl: ${wayOutOf(reason)}`;
  if (/sasl/i.test(reason)) return `client.sasl: ${wayOutOf(reason)}`;
  return "client.brokers: ['host:port'] of a listener that this machine reaches; is the broker running?";
}
