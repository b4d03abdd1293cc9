import type { NativeAclFilter } from '../../native/index.js';
import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from '../errors/index.js';
import { jsonOf } from '../../values/describe.js';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
  type Acl,
  type AclEntry,
  type AclFilter,
  type DeleteAclResponse,
  type DescribeAclResource,
  type DescribeAclResponse,
} from '../types/index.js';
import { ask, asking, changing, errorOfCode, throwFirst, type AdminContext } from './context.js';

const NUMBERS: readonly (readonly [
  field: 'operation' | 'resourcePatternType' | 'permissionType' | 'resourceType',
  what: string,
  values: readonly number[],
])[] = [
  ['operation', 'operation', Object.values(AclOperationTypes)],
  ['resourcePatternType', 'resource pattern', Object.values(ResourcePatternTypes)],
  ['permissionType', 'permission', Object.values(AclPermissionTypes)],
  ['resourceType', 'resource', Object.values(AclResourceTypes)],
];

const TEXTS = ['principal', 'host', 'resourceName'] as const;

type Rule = AclEntry | AclFilter;

function refuseTokens(rules: readonly Rule[]): void {
  if (rules.some(({ resourceType }) => resourceType === AclResourceTypes.DELEGATION_TOKEN)) {
    throw new KafkaJSNotImplemented(
      'AclResourceTypes.DELEGATION_TOKEN is not supported by librdkafka: use kafka-acls.sh --delegation-token',
    );
  }
}

/** kafkajs's checks of a list of rules or filters, with its texts. */
function checkList(list: unknown, what: string, isText: (value: unknown) => boolean): void {
  if (!list || !Array.isArray(list)) {
    throw new KafkaJSNonRetriableError(`Invalid ${what} array ${list as string}`);
  }
  if (list.length === 0) throw new KafkaJSNonRetriableError(`Empty ${what} array`);
  const rules = list as Rule[];
  for (const field of TEXTS) {
    if (rules.some((rule) => !isText(rule[field]))) {
      throw new KafkaJSNonRetriableError(`Invalid ${what} array, the ${field}s have to be a valid string`);
    }
  }
  for (const [field, name, values] of NUMBERS) {
    const invalid = rules.find((rule) => !values.includes(rule[field]));
    if (invalid) {
      throw new KafkaJSNonRetriableError(`Invalid ${name} type ${invalid[field]}: ${jsonOf(invalid)}`);
    }
  }
  refuseTokens(rules);
}

const isString = (value: unknown): boolean => typeof value === 'string';
const isStringOrNothing = (value: unknown): boolean => value === undefined || isString(value);

/** kafkajs's `createAcls()`. */
export async function createAcls(context: AdminContext, { acl }: { acl: AclEntry[] }): Promise<boolean> {
  checkList(acl, 'ACL', isString);
  throwFirst(await ask(context, (native) => native.createAcls(acl, changing(context, {}))));
  return true;
}

function checkFilter(filter: AclFilter): void {
  for (const field of TEXTS) {
    if (!isStringOrNothing(filter[field])) {
      throw new KafkaJSNonRetriableError(`Invalid ${field}, the ${field} have to be a valid string`);
    }
  }
  for (const [field, name, values] of NUMBERS) {
    if (values.includes(filter[field])) continue;
    const what = field === 'resourcePatternType' ? 'resource pattern filter' : name;
    throw new KafkaJSNonRetriableError(`Invalid ${what} type ${filter[field]}`);
  }
  refuseTokens([filter]);
}

const nativeFilter = (filter: AclFilter): NativeAclFilter => ({
  resourceType: filter.resourceType,
  resourceName: filter.resourceName,
  resourcePatternType: filter.resourcePatternType,
  principal: filter.principal,
  host: filter.host,
  operation: filter.operation,
  permissionType: filter.permissionType,
});

/** kafkajs's `describeAcls()`. */
export async function describeAcls(context: AdminContext, filter: AclFilter): Promise<DescribeAclResponse> {
  checkFilter(filter);
  const found = await ask(context, (native) => native.describeAcls(nativeFilter(filter), asking(context)));
  const resources = new Map<string, DescribeAclResource>();
  for (const { resourceType, resourceName, resourcePatternType, ...acl } of found) {
    const key = `${resourceType}:${resourcePatternType}:${resourceName}`;
    const known = resources.get(key);
    const resource =
      known ?? ({ resourceType, resourceName, resourcePatternType, acls: [] } as DescribeAclResource);
    if (!known) resources.set(key, resource);
    resource.acls.push(acl as Acl);
  }
  // As in kafkajs, the result has no other fields, although its types have them.
  return { resources: [...resources.values()] } as unknown as DescribeAclResponse;
}

/** kafkajs's `deleteAcls()`. */
export async function deleteAcls(
  context: AdminContext,
  { filters }: { filters: AclFilter[] },
): Promise<DeleteAclResponse> {
  checkList(filters, 'ACL Filter', isStringOrNothing);
  const request = filters.map(nativeFilter);
  const answers = await ask(context, (native) => native.deleteAcls(request, changing(context, {})));
  const filterResponses = answers.map(({ outcome, matching }) => {
    const failed = [outcome, ...matching.map((match) => match.outcome)].find(({ code }) => code !== 0);
    if (failed) throw errorOfCode(failed.code, failed.message);
    const matchingAcls = matching.map(({ acl }) => ({ errorCode: 0, errorMessage: null, ...acl }));
    return { errorCode: 0, errorMessage: null, matchingAcls };
  });
  return { filterResponses } as unknown as DeleteAclResponse;
}
