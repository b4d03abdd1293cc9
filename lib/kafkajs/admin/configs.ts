import type { Failure, NativeAdmin, NativeConfigResource, NativeOutcome } from '../../native/index.js';
import { KafkaJSBrokerNotFound, KafkaJSNonRetriableError, KafkaJSNotImplemented } from '../errors/index.js';
import { codeOf } from '../errors/codes.js';
import { jsonOf } from '../../values/describe.js';
import {
  ConfigResourceTypes,
  ConfigSource,
  type DescribeConfigResponse,
  type IResourceConfig,
  type ResourceConfigQuery,
} from '../types/index.js';
import { ask, asking, changing, errorOfCode, type AdminContext } from './context.js';

const INVALID_REQUEST = codeOf('INVALID_REQUEST');

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

/** The resources of a request by their names. */
type Part = Map<string, NativeConfigResource>;

/**
 * One request for all topics, and one for each broker, which answers only for itself. librdkafka takes a topic only once, so that one
 * that is there again comes in another request.
 */
function requests(resources: readonly NativeConfigResource[]): Part[] {
  const brokers: Part[] = [];
  const topics: Part[] = [];
  for (const resource of resources) {
    const { name } = resource;
    if (resource.kind === ConfigResourceTypes.BROKER) brokers.push(new Map([[name, resource]]));
    else {
      const part = topics.find((known) => !known.has(name));
      if (part) part.set(name, resource);
      else topics.push(new Map([[name, resource]]));
    }
  }
  return [...topics, ...brokers];
}

/** The answers for resources, in their order; throws the first that is an error. */
async function answers<Answer extends { outcome: NativeOutcome }>(
  context: AdminContext,
  resources: readonly NativeConfigResource[],
  request: (native: NativeAdmin, part: NativeConfigResource[]) => Promise<Answer[] | Failure>,
): Promise<Answer[]> {
  const found = new Map<NativeConfigResource, Answer>();
  await Promise.all(
    requests(resources).map(async (part) => {
      const told = await ask(context, (native) => request(native, [...part.values()]));
      for (const answer of told) {
        const resource = part.get(answer.outcome.name);
        if (resource) found.set(resource, answer);
      }
    }),
  );
  const inOrder = resources.flatMap((resource) => found.get(resource) ?? []);
  const failed = inOrder.find(({ outcome }) => outcome.code !== 0);
  if (failed) throw errorOfCode(failed.outcome.code, failed.outcome.message);
  return inOrder;
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
  const told = await answers(context, queries, (native, part) =>
    native.describeConfigs(part, asking(context)),
  );
  const described = told.map(({ outcome, kind, entries }) => ({
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
  }));
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
  if (new Set(resources.map(({ type, name }) => `${type}:${name}`)).size < resources.length) {
    // A broker's error; which of them counts would be chance.
    throw errorOfCode(INVALID_REQUEST, 'Each resource must appear at most once');
  }
  await checkBrokers(context, resources);
  const changes = resources.map(({ type, name, configEntries }) => ({
    kind: type,
    name,
    config: configEntries.map((entry) => ({ name: entry.name, value: entry.value })),
  }));
  const options = changing(context, { validateOnly });
  const told = await answers(context, changes, (native, part) => native.alterConfigs(part, options));
  const altered = told.map(({ outcome, kind }) => ({
    errorCode: 0,
    errorMessage: null,
    resourceType: kind,
    resourceName: outcome.name,
  }));
  return { resources: altered };
}
