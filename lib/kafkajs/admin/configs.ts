import type { NativeConfigResource } from '../../native/index.js';
import { KafkaJSBrokerNotFound, KafkaJSNonRetriableError, KafkaJSNotImplemented } from '../errors/index.js';
import { jsonOf } from '../../values/describe.js';
import {
  ConfigResourceTypes,
  ConfigSource,
  type DescribeConfigResponse,
  type IResourceConfig,
  type ResourceConfigQuery,
} from '../types/index.js';
import { ask, asking, changing, errorOfCode, type AdminContext } from './context.js';

interface Resource {
  type: ConfigResourceTypes;
  name: string;
}

/** kafkajs's checks of resources, with its texts. */
function checkResources(resources: unknown): asserts resources is Resource[] {
  if (!resources || !Array.isArray(resources)) {
    throw new KafkaJSNonRetriableError(`Invalid resources array ${resources as string}`);
  }
  if (resources.length === 0) throw new KafkaJSNonRetriableError('Resources array cannot be empty');
  const list = resources as Resource[];
  const types: readonly number[] = Object.values(ConfigResourceTypes);
  const badType = list.find(({ type }) => !types.includes(type));
  if (badType) {
    throw new KafkaJSNonRetriableError(`Invalid resource type ${badType.type}: ${jsonOf(badType)}`);
  }
  const badName = list.find(({ name }) => !name || typeof name !== 'string');
  if (badName) {
    throw new KafkaJSNonRetriableError(`Invalid resource name ${badName.name}: ${jsonOf(badName)}`);
  }
}

function refuseLoggers(resources: readonly Resource[]): void {
  if (resources.some(({ type }) => type === ConfigResourceTypes.BROKER_LOGGER)) {
    throw new KafkaJSNotImplemented(
      'ConfigResourceTypes.BROKER_LOGGER is not supported by librdkafka: use kafka-configs.sh --entity-type broker-loggers',
    );
  }
}

/** Refuses brokers that do not exist, for which librdkafka would wait. */
async function checkBrokers(context: AdminContext, resources: readonly Resource[]): Promise<void> {
  const asked = resources.filter(({ type }) => type === ConfigResourceTypes.BROKER);
  if (asked.length === 0) return;
  const { brokers } = await ask(context, (native) => native.cluster(asking(context)));
  const missing = asked.find(({ name }) => !brokers.some(({ nodeId }) => String(nodeId) === name));
  if (missing) throw new KafkaJSBrokerNotFound(`Broker ${missing.name} not found in the cached metadata`);
}

const isBroker = ({ kind }: NativeConfigResource): boolean => kind === ConfigResourceTypes.BROKER;

/** One request for all topics, and one for each broker, which answers only for itself. */
function requests(resources: readonly NativeConfigResource[]): NativeConfigResource[][] {
  const others = resources.filter((resource) => !isBroker(resource));
  const brokers = resources.filter(isBroker).map((resource) => [resource]);
  return others.length > 0 ? [others, ...brokers] : brokers;
}

/** kafkajs's `describeConfigs()`. */
export async function describeConfigs(
  context: AdminContext,
  { resources, includeSynonyms }: { resources: ResourceConfigQuery[]; includeSynonyms?: boolean },
): Promise<DescribeConfigResponse> {
  checkResources(resources);
  const bad = resources.find(
    ({ configNames }) => !Array.isArray(configNames) && configNames !== undefined && configNames !== null,
  );
  if (bad) {
    throw new KafkaJSNonRetriableError(
      `Invalid resource configNames ${bad.configNames as unknown as string}: ${jsonOf(bad)}`,
    );
  }
  refuseLoggers(resources);
  await checkBrokers(context, resources);
  const queries = resources.map(({ type, name, configNames }) => ({
    kind: type,
    name,
    config: (configNames ?? []).map((config) => ({ name: config, value: '' })),
  }));
  const answers = await Promise.all(
    requests(queries).map((part) => ask(context, (native) => native.describeConfigs(part, asking(context)))),
  );
  const described = answers.flat().map(({ outcome, kind, entries }) => {
    if (outcome.code !== 0) throw errorOfCode(outcome.code, outcome.message);
    return {
      errorCode: 0,
      errorMessage: '',
      resourceType: kind,
      resourceName: outcome.name,
      configEntries: entries.map((entry) => ({
        configName: entry.name,
        configValue: entry.value,
        readOnly: entry.readOnly,
        isDefault: entry.source === ConfigSource.DEFAULT_CONFIG,
        configSource: entry.source,
        isSensitive: entry.sensitive,
        configSynonyms: (includeSynonyms ? entry.synonyms : []).map(({ name, value, source }) => ({
          configName: name,
          configValue: value,
          configSource: source,
        })),
      })),
    };
  });
  // As in kafkajs, there is no throttleTime, although its types have it.
  return { resources: described } as unknown as DescribeConfigResponse;
}

/** kafkajs's `alterConfigs()`: settings that are not named return to their defaults. */
export async function alterConfigs(
  context: AdminContext,
  { resources, validateOnly }: { resources: IResourceConfig[]; validateOnly?: boolean },
): Promise<unknown> {
  checkResources(resources);
  const bad = resources.find(({ configEntries }) => !Array.isArray(configEntries));
  if (bad) {
    throw new KafkaJSNonRetriableError(
      `Invalid resource configEntries ${bad.configEntries as unknown as string}: ${jsonOf(bad)}`,
    );
  }
  const badValue = resources.find(({ configEntries }) =>
    configEntries.some(({ name, value }) => typeof name !== 'string' || typeof value !== 'string'),
  );
  if (badValue) {
    throw new KafkaJSNonRetriableError(`Invalid resource config value: ${jsonOf(badValue)}`);
  }
  refuseLoggers(resources);
  await checkBrokers(context, resources);
  const changes = resources.map(({ type, name, configEntries }) => ({
    kind: type,
    name,
    config: configEntries.map((entry) => ({ name: entry.name, value: entry.value })),
  }));
  const options = changing(context, { validateOnly });
  const answers = await Promise.all(
    requests(changes).map((part) => ask(context, (native) => native.alterConfigs(part, options))),
  );
  const altered = answers.flat().map(({ outcome, kind }) => {
    if (outcome.code !== 0) throw errorOfCode(outcome.code, outcome.message);
    return { errorCode: 0, errorMessage: null, resourceType: kind, resourceName: outcome.name };
  });
  return { resources: altered };
}
