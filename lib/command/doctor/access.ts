import { errorOfCode } from '../../kafkajs/admin/context.js';
import { codeOf } from '../../kafkajs/errors/codes.js';
import { AclOperationTypes } from '../../kafkajs/types/admin-enums.js';
import { accessRules, type AccessRule } from '../acls/rules.js';
import type { Visit } from './visit.js';
import { counted, MEND_AND_REPEAT } from './finding.js';

const OPERATIONS: Readonly<Record<string, AclOperationTypes>> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Describe: AclOperationTypes.DESCRIBE,
};

/** Codes that say that not even Describe is allowed; with any other code the rights are not known. */
const UNAUTHORIZED = new Set(['TOPIC_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED'].map(codeOf));
/** librdkafka's code for a group whose members are no consumers, which is reported with the groups. */
const NO_CONSUMERS = codeOf('_INVALID_ARG');

/** Compares the access that the application needs with what its credentials allow. */
export async function checkAccess({ admin, servers, clients, diagnoses }: Visit): Promise<void> {
  const rules = accessRules({ servers, clients, drivers: [] }).filter(
    ({ patternType }) => patternType === 'literal',
  );
  const existing = new Set(await admin.listTopics());
  // A topic that is missing or not visible has no operations; missing topics are reported elsewhere.
  const topics = namesOf(rules, 'topic').filter((name) => existing.has(name));
  const groups = namesOf(rules, 'group');
  const rights = await admin.describeAuthorizedOperations({ topics, groups });
  const has = {
    topic: new Map(rights.topics.map((right) => [right.name, right])),
    group: new Map(rights.groups.map((right) => [right.name, right])),
  };
  for (const { resource, name, operations, why } of rules) {
    if (resource !== 'topic' && resource !== 'group') continue;
    const right = has[resource].get(name);
    if (right === undefined || right.errorCode === NO_CONSUMERS) continue;
    if (right.errorCode !== 0 && !UNAUTHORIZED.has(right.errorCode)) {
      diagnoses.error('request', {
        what: `The rights to ${resource} ${name} cannot be asked for: ${errorOfCode(right.errorCode).message}`,
        why: 'Whether the application may use it was not looked at',
        fix: MEND_AND_REPEAT,
      });
      continue;
    }
    const missing = operations.filter((operation) => {
      const number = OPERATIONS[operation];
      return number !== undefined && !right.operations.includes(number);
    });
    if (missing.length === 0) continue;
    diagnoses.error('access', {
      what: `The right to ${missing.join(' and ')} on ${resource} ${name} is missing`,
      why: `It is needed: ${why}`,
      fix: `kafka-acls.sh --bootstrap-server … --add --allow-principal User:<name> ${missing.map((operation) => `--operation ${operation}`).join(' ')} --${resource} ${name}`,
    });
  }
  diagnoses.checked(`rights to ${counted(topics.length, 'topic')} and ${counted(groups.length, 'group')}`);
}

const namesOf = (rules: readonly AccessRule[], wanted: AccessRule['resource']): string[] => [
  ...new Set(rules.filter(({ resource }) => resource === wanted).map(({ name }) => name)),
];
